"""CORS, caching and cookies."""

from __future__ import annotations

import re
from email.utils import formatdate

YEAR = 31_536_000
NEVER_CACHED = {"Cache-Control": "no-store, no-cache, no-transform, must-revalidate, max-age=0"}
"""``no-transform``: a proxy that compresses a response holds it back until it has enough."""
_COOKIE = re.compile(r"(?:^|;)\s*JSESSIONID=([0-9A-Za-z._!~+/=-]{1,128})\s*(?=;|$)")
_HEADER_LIST = re.compile(r"[0-9A-Za-z!#$%&'*+.^_`|~, -]{1,1024}\Z")


def cors(origin: str, requested_headers: str) -> dict[str, str]:
    """Let any page ask, with its credentials. ``null`` is a page from a file or a sandboxed frame; who says no origin needs no leave.

    Nothing is given away by this: a session's requests show a cookie, which only counts from the page's own site
    (:mod:`.passes`).
    """
    headers = {"Access-Control-Allow-Origin": origin or "*", "Vary": "Origin"}
    if origin:  # a browser takes credentials and "*" together for a mistake
        headers["Access-Control-Allow-Credentials"] = "true"
    if _HEADER_LIST.match(requested_headers):
        headers["Access-Control-Allow-Headers"] = requested_headers
    return headers


def cached(now: float) -> dict[str, str]:
    """Keep it for a year. ``now`` in epoch seconds."""
    return {"Cache-Control": f"public, max-age={YEAR}", "Expires": formatdate(now + YEAR, usegmt=True)}


def options(methods: tuple[str, ...], now: float) -> dict[str, str]:
    """The answer to OPTIONS, besides :func:`cors`."""
    return {**cached(now), "Access-Control-Max-Age": str(YEAR), "Access-Control-Allow-Methods": ", ".join(methods)}


def jsessionid(cookie_header: str) -> dict[str, str]:
    """Set ``JSESSIONID``: the client's own, or a first one."""
    match = _COOKIE.search(cookie_header)
    return {"Set-Cookie": f"JSESSIONID={match[1] if match else 'dummy'}; path=/"}
