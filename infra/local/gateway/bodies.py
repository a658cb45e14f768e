"""Reading request bodies up to a limit."""

from __future__ import annotations

from aiohttp import web


async def read_body(request: web.Request, limit: int) -> bytes | None:
    """The whole body, or None when it is longer than `limit` bytes; no more than that is held.

    A body that was read before, as to check its signature, is what `request.read()` gave then.
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
