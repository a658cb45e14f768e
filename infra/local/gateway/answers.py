"""AWS's own answers when something is wrong."""

from __future__ import annotations

import json

from aiohttp import web


def gateway_answer(status: int, message: str, error_type: str, request_id: str) -> web.Response:
    """API Gateway's default gateway response: a message in JSON, and the error's name in a header."""
    return web.Response(
        status=status,
        body=json.dumps({"message": message}, separators=(",", ":")).encode(),
        headers={"Content-Type": "application/json", "x-amzn-RequestId": request_id, "x-amzn-ErrorType": error_type},
    )


def missing_authentication_token(request_id: str) -> web.Response:
    """No such resource or method. (Not a 404: API Gateway takes it for an unsigned call of its own.)"""
    return gateway_answer(403, "Missing Authentication Token", "MissingAuthenticationTokenException", request_id)


def forbidden(request_id: str) -> web.Response:
    """Not a path of this API, or not allowed."""
    return gateway_answer(403, "Forbidden", "ForbiddenException", request_id)


def bad_request(request_id: str) -> web.Response:
    """Nothing that this API understands."""
    return gateway_answer(400, "Bad Request", "BadRequestException", request_id)


def uri_too_long(request_id: str) -> web.Response:
    """A URL past the gateway's limit."""
    return gateway_answer(414, "URI Too Long", "BadRequestException", request_id)


def headers_too_large(request_id: str) -> web.Response:
    """A request line and headers past the gateway's limit."""
    return gateway_answer(431, "Request Header Fields Too Large", "BadRequestException", request_id)


def request_too_long(request_id: str) -> web.Response:
    """A body past the gateway's limit, or an event past Lambda's (FACTS H1)."""
    return gateway_answer(413, "Request Too Long", "RequestTooLargeException", request_id)


def too_many_requests(request_id: str) -> web.Response:
    """Past the account's rate (FACTS W7)."""
    return gateway_answer(429, "Too Many Requests", "TooManyRequestsException", request_id)


def function_failed(request_id: str) -> web.Response:
    """The function raised, or answered something that is no proxy response, or too much of it."""
    return gateway_answer(502, "Internal server error", "InternalServerErrorException", request_id)


def internal_server_error(request_id: str) -> web.Response:
    """The function could not be invoked: throttled, for one. (A REST API does not pass Lambda's 429 on.)"""
    return gateway_answer(500, "Internal server error", "InternalServerErrorException", request_id)


def endpoint_timed_out(request_id: str) -> web.Response:
    """29 seconds without an answer (FACTS H1)."""
    return gateway_answer(504, "Endpoint request timed out", "InternalServerErrorException", request_id)


def gone(request_id: str) -> web.Response:
    """No such connection, no more, or not yet (FACTS W3). AWS sends no body with it."""
    return web.Response(status=410, headers={"x-amzn-RequestId": request_id, "x-amzn-ErrorType": "GoneException"})


def payload_too_large(request_id: str) -> web.Response:
    """More than a post may hold (FACTS W1)."""
    return gateway_answer(413, "Payload Too Large", "PayloadTooLargeException", request_id)


def limit_exceeded(request_id: str) -> web.Response:
    """A post that is throttled, or that finds the client's buffer full (FACTS W7)."""
    return gateway_answer(429, "Too Many Requests", "LimitExceededException", request_id)


def message_error(message: str, connection_id: str, request_id: str) -> bytes:
    """What a WebSocket client gets when its message could not be handled."""
    return json.dumps({"message": message, "connectionId": connection_id, "requestId": request_id}, separators=(",", ":")).encode()
