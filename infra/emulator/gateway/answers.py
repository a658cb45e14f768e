"""AWS's own answers to requests that fail."""

from __future__ import annotations

import json

from aiohttp import web


def gateway_answer(status: int, message: str, error_type: str, request_id: str) -> web.Response:
    """Return API Gateway's default gateway response.

    It has a message in JSON, and the error's name in a header.
    """
    return web.Response(
        status=status,
        body=json.dumps({"message": message}, separators=(",", ":")).encode(),
        headers={
            "Content-Type": "application/json",
            "x-amzn-RequestId": request_id,
            "x-amzn-ErrorType": error_type,
        },
    )


def missing_authentication_token(request_id: str) -> web.Response:
    """Return the answer for an unknown resource or method.

    It is not a 404, because API Gateway takes the request for an unsigned call of its own API.
    """
    return gateway_answer(
        403, "Missing Authentication Token", "MissingAuthenticationTokenException", request_id
    )


def forbidden(request_id: str) -> web.Response:
    """Return the answer for a path outside this API, or a forbidden one."""
    return gateway_answer(403, "Forbidden", "ForbiddenException", request_id)


def bad_request(request_id: str) -> web.Response:
    """Return the answer for a request that this API does not understand."""
    return gateway_answer(400, "Bad Request", "BadRequestException", request_id)


def uri_too_long(request_id: str) -> web.Response:
    """Return the answer for a URL above the gateway's limit."""
    return gateway_answer(414, "URI Too Long", "BadRequestException", request_id)


def headers_too_large(request_id: str) -> web.Response:
    """Return the answer for a request line and headers above the gateway's limit."""
    return gateway_answer(431, "Request Header Fields Too Large", "BadRequestException", request_id)


def request_too_long(request_id: str) -> web.Response:
    """Return the answer for a too large body.

    The body exceeds the gateway's limit, or the event Lambda's (FACTS H1).
    """
    return gateway_answer(413, "Request Too Long", "RequestTooLargeException", request_id)


def too_many_requests(request_id: str) -> web.Response:
    """Return the answer for a request above the account's rate (FACTS W7)."""
    return gateway_answer(429, "Too Many Requests", "TooManyRequestsException", request_id)


def function_failed(request_id: str) -> web.Response:
    """Return the answer for a function that raised, or whose response is invalid or too large."""
    return gateway_answer(502, "Internal server error", "InternalServerErrorException", request_id)


def internal_server_error(request_id: str) -> web.Response:
    """Return the answer for a function that could not be invoked, for example throttled.

    A REST API does not pass Lambda's 429 on.
    """
    return gateway_answer(500, "Internal server error", "InternalServerErrorException", request_id)


def endpoint_timed_out(request_id: str) -> web.Response:
    """Return the answer after 29 seconds without a response (FACTS H1)."""
    return gateway_answer(
        504, "Endpoint request timed out", "InternalServerErrorException", request_id
    )


def gone(request_id: str) -> web.Response:
    """Return the answer for a connection that does not exist, no longer or not yet (FACTS W3).

    AWS sends no body with it.
    """
    return web.Response(
        status=410, headers={"x-amzn-RequestId": request_id, "x-amzn-ErrorType": "GoneException"}
    )


def payload_too_large(request_id: str) -> web.Response:
    """Return the answer for a post above the limit (FACTS W1)."""
    return gateway_answer(413, "Payload Too Large", "PayloadTooLargeException", request_id)


def limit_exceeded(request_id: str) -> web.Response:
    """Return the answer for a post that is throttled or finds a full client buffer (FACTS W7)."""
    return gateway_answer(429, "Too Many Requests", "LimitExceededException", request_id)


def message_error(message: str, connection_id: str, request_id: str) -> bytes:
    """Return what a WebSocket client gets if its message could not be handled."""
    return json.dumps(
        {"message": message, "connectionId": connection_id, "requestId": request_id},
        separators=(",", ":"),
    ).encode()
