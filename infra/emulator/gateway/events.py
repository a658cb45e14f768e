"""The events of API Gateway for Lambda functions, in their true formats.

This module is pure; ids and times are arguments.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from infra.emulator.gateway.headers import grouped, to_function
from infra.emulator.gateway.media import is_binary
from infra.emulator.gateway.routes import RestRoutes, RouteMatch, WebSocketRoutes

ACCOUNT_ID = "123456789012"
Event = dict[str, Any]


def new_id() -> str:
    """Return an id like API Gateway's for connections and messages, e.g. "L0SM9cOFvHcCIhw="."""
    return base64.urlsafe_b64encode(secrets.token_bytes(11)).decode()


def encoded(event: Mapping[str, Any]) -> bytes:
    """Return the event as Lambda gets it.

    Bytes in a client's header that are not UTF-8 become "?".
    """
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


@dataclass(frozen=True)
class WireRequest:
    """A request from the wire; `path` and `query` are as the client encoded them."""

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    source_ip: str
    scheme: str = "http"
    port: str = ""
    protocol: str = "HTTP/1.1"
    stage_variables: Mapping[str, str] | None = None

    def header(self, name: str) -> str | None:
        """Return the last value of a header."""
        values = [value for key, value in self.headers if key.lower() == name]
        return values[-1] if values else None


def _last(values: Mapping[str, list[str]]) -> dict[str, str]:
    return {name: every[-1] for name, every in values.items()}


def _request_time(now: float) -> str:
    return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now))


def _headers_for_function(received: WireRequest, trace_id: str) -> dict[str, list[str]]:
    passed = [
        pair
        for pair in to_function(received.headers)
        if not pair[0].lower().startswith("x-forwarded-")
    ]
    values = grouped(passed, ignore_case=True)
    before = received.header("x-forwarded-for")
    values["X-Amzn-Trace-Id"] = [trace_id]
    values["X-Forwarded-For"] = [
        f"{before}, {received.source_ip}" if before else received.source_ip
    ]
    values["X-Forwarded-Port"] = [received.port]
    values["X-Forwarded-Proto"] = [received.scheme]
    return values


def _query(received: WireRequest) -> dict[str, list[str]]:
    pairs = parse_qsl(received.query, keep_blank_values=True, errors="replace")
    return grouped(pairs, ignore_case=False)


def trace_id(now: float) -> str:
    """Return an X-Ray trace header for a request that begins now."""
    return f"Root=1-{int(now):08x}-{secrets.token_hex(12)}"


def rest_event(
    received: WireRequest,
    match: RouteMatch,
    routes: RestRoutes,
    body: bytes,
    *,
    request_id: str,
    trace: str,
    now: float,
) -> Event:
    """Return the proxy event of a REST API (payload format 1.0).

    The stage is mounted at the root, as by a custom domain, so `requestContext.path` equals `path`.
    Both are as the client wrote them, percent-encoded, including a slash at the end.
    `pathParameters` are encoded too, but without that slash. Query parameters are decoded.
    """
    headers = _headers_for_function(received, trace)
    query = _query(received)
    binary = bool(body) and is_binary(received.header("content-type"), routes.binary_media_types)
    text = base64.b64encode(body).decode() if binary else body.decode("utf-8", "replace")
    host = received.header("host") or ""
    return {
        "resource": match.route.path,
        "path": received.path,
        "httpMethod": received.method,
        "headers": _last(headers),
        "multiValueHeaders": headers,
        "queryStringParameters": _last(query) if query else None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": match.parameters or None,
        "stageVariables": received.stage_variables,
        "requestContext": {
            "resourceId": "local0",
            "resourcePath": match.route.path,
            "httpMethod": received.method,
            "extendedRequestId": new_id(),
            "requestTime": _request_time(now),
            "path": received.path,
            "accountId": ACCOUNT_ID,
            "protocol": received.protocol,
            "stage": routes.stage,
            "domainPrefix": host.partition(".")[0],
            "requestTimeEpoch": int(now * 1000),
            "requestId": request_id,
            "identity": {
                "cognitoIdentityPoolId": None,
                "accountId": None,
                "cognitoIdentityId": None,
                "caller": None,
                "sourceIp": received.source_ip,
                "principalOrgId": None,
                "accessKey": None,
                "cognitoAuthenticationType": None,
                "cognitoAuthenticationProvider": None,
                "userArn": None,
                "userAgent": received.header("user-agent"),
                "user": None,
            },
            "domainName": host,
            "apiId": routes.api_id,
        },
        "body": text if body else None,
        "isBase64Encoded": binary,
    }


@dataclass(frozen=True)
class SocketContext:
    """What every event of one WebSocket connection says about it."""

    connection_id: str
    connected_at: float
    source_ip: str
    user_agent: str | None
    host: str

    @property
    def identity(self) -> dict[str, str]:
        """Return `requestContext.identity`, which lacks the user agent if the client sent none."""
        agent = {} if self.user_agent is None else {"userAgent": self.user_agent}
        return {**agent, "sourceIp": self.source_ip}


def _websocket_context(
    visitor: SocketContext,
    routes: WebSocketRoutes,
    key: str,
    kind: str,
    now: float,
    request_id: str,
) -> dict[str, Any]:
    return {
        "routeKey": key,
        "eventType": kind,
        "extendedRequestId": request_id,
        "requestTime": _request_time(now),
        "messageDirection": "IN",
        "stage": routes.stage,
        "connectedAt": int(visitor.connected_at * 1000),
        "requestTimeEpoch": int(now * 1000),
        "identity": visitor.identity,
        "requestId": request_id,
        "domainName": visitor.host,
        "connectionId": visitor.connection_id,
        "apiId": routes.api_id,
    }


def connect_event(
    visitor: SocketContext,
    routes: WebSocketRoutes,
    received: WireRequest,
    *,
    request_id: str,
    trace: str,
    now: float,
) -> Event:
    """Return the event of `$connect`, the only one with the client's headers and query."""
    headers = _headers_for_function(received, trace)
    query = _query(received)
    event: Event = {"headers": _last(headers), "multiValueHeaders": headers}
    if query:
        event["queryStringParameters"] = _last(query)
        event["multiValueQueryStringParameters"] = query
    event["requestContext"] = _websocket_context(
        visitor, routes, "$connect", "CONNECT", now, request_id
    )
    event["isBase64Encoded"] = False
    return event


def message_event(
    visitor: SocketContext,
    routes: WebSocketRoutes,
    body: str,
    *,
    request_id: str,
    message_id: str,
    now: float,
) -> Event:
    """Return the event of a client's message, which has no headers."""
    context = _websocket_context(visitor, routes, "$default", "MESSAGE", now, request_id)
    context["messageId"] = message_id
    return {"requestContext": context, "body": body, "isBase64Encoded": False}


def disconnect_event(
    visitor: SocketContext,
    routes: WebSocketRoutes,
    *,
    code: int,
    reason: str,
    request_id: str,
    now: float,
) -> Event:
    """Return the event of `$disconnect`, with the close code and reason.

    Its few headers are API Gateway's own, mostly empty.
    """
    headers = {"Host": visitor.host, "x-api-key": "", "X-Forwarded-For": "", "x-restapi": ""}
    context = _websocket_context(visitor, routes, "$disconnect", "DISCONNECT", now, request_id)
    context["disconnectStatusCode"] = code
    context["disconnectReason"] = reason
    return {
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "requestContext": context,
        "isBase64Encoded": False,
    }
