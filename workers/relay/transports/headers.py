"""CORS, caching and cookies."""

from __future__ import annotations

import re
from email.utils import formatdate

YEAR = 31_536_000
NEVER_CACHED = {"Cache-Control": "no-store, no-cache, no-transform, must-revalidate, max-age=0"}
"""``no-transform`` is there because a proxy that compresses a response holds it back for a while.

Such a proxy waits until it has enough data.
"""
_COOKIE = re.compile(r"(?:^|;)\s*JSESSIONID=([0-9A-Za-z._!~+/=-]{1,128})\s*(?=;|$)")
_HEADER_LIST = re.compile(r"[0-9A-Za-z!#$%&'*+.^_`|~, -]{1,1024}\Z")


def cors(origin: str, requested_headers: str) -> dict[str, str]:
    """Return headers that let any page ask, with its credentials.

    The origin ``null`` stands for a page from a file or a sandboxed frame. A request without an
    origin needs no permission.

    This gives nothing away: a session's requests show a cookie, which only counts if it comes from
    the page's own site (:mod:`chalicelib.sessions.passes`).
    """
    headers = {"Access-Control-Allow-Origin": origin or "*", "Vary": "Origin"}
    if origin:  # a browser rejects credentials together with "*"
        headers["Access-Control-Allow-Credentials"] = "true"
    if _HEADER_LIST.match(requested_headers):
        headers["Access-Control-Allow-Headers"] = requested_headers
    return headers


def cached(now: float) -> dict[str, str]:
    """Return headers that keep the response for a year; ``now`` is in epoch seconds."""
    return {
        "Cache-Control": f"public, max-age={YEAR}",
        "Expires": formatdate(now + YEAR, usegmt=True),
    }


def options(methods: tuple[str, ...], now: float) -> dict[str, str]:
    """Return the headers that an answer to OPTIONS has besides :func:`cors`."""
    return {
        **cached(now),
        "Access-Control-Max-Age": str(YEAR),
        "Access-Control-Allow-Methods": ", ".join(methods),
    }


def jsessionid(cookie_header: str) -> dict[str, str]:
    """Return a header that sets ``JSESSIONID``: the client's own value, or a first one."""
    match = _COOKIE.search(cookie_header)
    return {"Set-Cookie": f"JSESSIONID={match[1] if match else 'dummy'}; path=/"}
