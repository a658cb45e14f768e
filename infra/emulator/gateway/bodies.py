"""Read requests up to the gateway's limits."""

from __future__ import annotations

from aiohttp import web

from infra.emulator.gateway import answers
from infra.emulator.gateway.limits import GatewayLimits


def refused_by_size(
    request: web.Request, limits: GatewayLimits, request_id: str
) -> web.Response | None:
    """Return the answer to a request with a too long URL or too long headers, otherwise None."""
    line = len(request.method) + len(request.raw_path.encode()) + len("  HTTP/1.1\r\n")
    if len(f"{request.scheme}://{request.host}") + len(request.raw_path) > limits.url:
        return answers.uri_too_long(request_id)
    if (
        line + sum(len(name) + len(value) + len(": \r\n") for name, value in request.raw_headers)
        > limits.head
    ):
        return answers.headers_too_large(request_id)
    return None


async def read_body(request: web.Request, limit: int) -> bytes | None:
    """Return the whole body, or None if it is longer than `limit` bytes.

    No more than that is held. If the body was read before, for example to check its signature,
    `request.read()` returns it again.
    """
    if request.content.at_eof():
        body = await request.read()
        return body if len(body) <= limit else None
    if (request.content_length or 0) > limit:
        return None
    body = await request.content.readany()
    if len(body) > limit:
        return None
    more = await request.content.readany()
    if not more:  # nearly always: one piece, not copied
        return body
    pieces, size = [body], len(body)
    while more:
        size += len(more)
        if size > limit:
            return None
        pieces.append(more)
        more = await request.content.readany()
    return b"".join(pieces)
