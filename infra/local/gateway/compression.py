"""Compression of answers, as a REST API does it that has a minimum compression size.

AWS's guide ("Payload compression for REST APIs"): what the client likes best must be gzip, deflate or identity, or nothing is
compressed. What a function has compressed itself, and says so, is passed on as it is.
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
    """Return the coding that the client likes best, if it is one to compress with; of equals the first."""
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
    """Compress a body; a long one beside the event loop."""
    if len(body) <= AT_ONCE:
        return _CODINGS[coding](body)
    return await asyncio.to_thread(_CODINGS[coding], body)
