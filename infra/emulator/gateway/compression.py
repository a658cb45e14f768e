"""Compression of answers by a REST API with a minimum compression size.

The source is AWS's guide ("Payload compression for REST APIs"). The client's most preferred coding
must be gzip, deflate or identity, or nothing is compressed. A body that the function has
compressed, and declared so, is passed on unchanged.
"""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable, Mapping

AT_ONCE = 64 * 1024
"""Bytes that are compressed without a thread of their own."""
_CODINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": lambda body: gzip.compress(body, 6, mtime=0),
    "deflate": zlib.compress,
}


def wanted(accept_encoding: str | None) -> str | None:
    """Return the client's most preferred coding, if it is supported; the first of equals wins."""
    best, best_weight = "", 0.0
    for part in (accept_encoding or "").split(","):
        coding, _, parameter = part.partition(";")
        weight = _weight(parameter)
        if weight > best_weight:
            best, best_weight = coding.strip().lower(), weight
    return best if best in _CODINGS else None


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


async def compressed(body: bytes, coding: str) -> bytes:
    """Return the compressed body; a long one is compressed outside the event loop."""
    if len(body) <= AT_ONCE:
        return _CODINGS[coding](body)
    return await asyncio.to_thread(_CODINGS[coding], body)
