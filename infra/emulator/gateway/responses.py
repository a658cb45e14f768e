"""Parse a function's response to a proxy event."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from infra.emulator.gateway.headers import to_client, usable
from infra.emulator.gateway.media import is_binary

_KEYS = frozenset({"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"})


class ProxyResponseError(ValueError):
    """API Gateway cannot pass the function's response on; the message says why."""


class Base64Error(ValueError):
    """The function declares its body as base64, but it is not."""


@dataclass(frozen=True)
class FunctionResponse:
    """A function's checked response.

    `headers` are the function's own, in order, with the values of one name together.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    is_base64: bool = False

    def header(self, name: str) -> str | None:
        """Return the first value of a header."""
        return next((value for key, value in self.headers if key.lower() == name), None)


def _status(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 200 <= value <= 599:
        raise ProxyResponseError(f"statusCode {value!r} is not a status from 200 to 599")
    return value


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        value = str(value).lower()
    if not isinstance(value, str):
        raise ProxyResponseError(f"header {name!r}: {value!r} is not a string")
    if not usable(name, value):
        raise ProxyResponseError(f"header {name!r}: no name or value that HTTP can carry")
    return value


def _headers(single: Any, multiple: Any) -> tuple[tuple[str, str], ...]:
    """Merge both maps; a pair that is in both comes once."""
    if not isinstance(single, dict) or not isinstance(multiple, dict):
        raise ProxyResponseError("headers and multiValueHeaders must be objects")
    pairs: list[tuple[str, str]] = []
    for name, values in multiple.items():
        if not isinstance(values, list):
            raise ProxyResponseError(f"multiValueHeaders {name!r} is not a list")
        pairs.extend((name, _text(name, value)) for value in values)
    known = {(name.lower(), value) for name, value in pairs}
    for name, value in single.items():
        text = _text(name, value)
        if (name.lower(), text) not in known:
            pairs.append((name, text))
    return tuple(pairs)


def parse_proxy_response(payload: bytes) -> FunctionResponse:
    """Return a REST function's response.

    Raise ProxyResponseError that says why API Gateway would answer 502.
    """
    answer = _object(payload)
    unknown = answer.keys() - _KEYS
    if unknown:
        raise ProxyResponseError(f"unknown keys {', '.join(sorted(unknown))}")
    body = answer.get("body")
    if body is not None and not isinstance(body, str):
        raise ProxyResponseError("body is not a string")
    return FunctionResponse(
        _status(answer.get("statusCode", 200)),
        _headers(answer.get("headers") or {}, answer.get("multiValueHeaders") or {}),
        body or "",
        answer.get("isBase64Encoded") is True,
    )


def parse_websocket_response(payload: bytes) -> FunctionResponse:
    """Return a WebSocket function's response.

    It must have a status. Its headers matter only for `$connect`.
    """
    answer = _object(payload)
    if "statusCode" not in answer:
        raise ProxyResponseError("no statusCode")
    headers = _headers(answer.get("headers") or {}, answer.get("multiValueHeaders") or {})
    return FunctionResponse(_status(answer["statusCode"]), headers)


def _object(payload: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(payload)
    except ValueError as error:
        raise ProxyResponseError(f"not JSON: {error}") from error
    if not isinstance(answer, dict):
        raise ProxyResponseError("not an object")
    return answer


def rest_headers(
    response: FunctionResponse, request_id: str, extended_id: str, trace: str
) -> list[tuple[str, str]]:
    """Return the headers that the client of a REST API gets."""
    headers = to_client(response.headers)
    if response.header("content-type") is None:
        headers.append(("Content-Type", "application/json"))
    headers += [
        ("x-amzn-RequestId", request_id),
        ("x-amz-apigw-id", extended_id),
        ("X-Amzn-Trace-Id", trace),
    ]
    return headers


def rest_body(
    response: FunctionResponse, accept: str | None, binary_media_types: Sequence[str]
) -> bytes:
    """Return the bytes that the client of a REST API gets.

    Base64 is decoded only if the first media type that the client accepts is one of the API's
    binary ones; the response's own `Content-Type` does not matter. Otherwise the client gets the
    base64 text. Raise Base64Error if it is not base64.
    """
    if not response.is_base64 or not is_binary(accept, binary_media_types):
        return response.body.encode("utf-8", "replace")
    try:
        return base64.b64decode(response.body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Base64Error(str(error)) from error
