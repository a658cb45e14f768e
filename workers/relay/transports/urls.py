"""Which URL asks for what, by which methods.

A service has a prefix, below which are::

    /  /info  /iframe*.html  /websocket  /<server>/<session>/<transport>

Sheen's prefix is ``<app>/__sockjs__``, followed by parameters as path segments in any order:

- ``n=<id>`` starts and ``o=<id>`` resumes a numbered session (FACTS S7).
- ``w=<worker id>`` names the R process (FACTS S3).
- ``h=<attempt>.<HEX>`` is the hello of Sheen's own client (:mod:`relay.hello`).
- ``t=…`` and ``s=…`` come from other clients and mean nothing here.

Paths are taken percent-encoded, as they came.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

from relay.errors import ProtocolError
from relay.hello import Opening
from relay.robust import parse_number

_PARAMETER = re.compile(r"/([nowtsh])=([^/]*)")
_ROBUST_ID = re.compile(r"[0-9A-Za-z]{16,64}\Z")
_HELLO = re.compile(r"([1-9][0-9]{0,8})\.([0-9A-F]{1,12})\Z")
_IFRAME = re.compile(r"/iframe[0-9a-z._-]*\.html\Z")
_SESSION = re.compile(r"/([^/.]{1,200})/([^/.]{1,200})/([a-z_]{1,20})\Z")
_GET, _POST = ("GET",), ("POST",)

METHODS = {
    "greeting": _GET,
    "info": ("OPTIONS", "GET"),
    "iframe": _GET,
    "raw": _GET,
    "xhr": ("OPTIONS", "POST"),
    "xhr_streaming": ("OPTIONS", "POST"),
    "xhr_send": ("OPTIONS", "POST"),
    "eventsource": _GET,
    "htmlfile": _GET,
    "jsonp": _GET,
    "jsonp_send": _POST,
    "websocket": _GET,
}
"""The names of what a URL may ask for, and the methods that each answers to."""
NAMES = {
    "raw": {"websocket"},
    "websocket": {"websocket"},
    "xhr": {"xhr-polling", "xdr-polling", "iframe-xhr-polling"},
    "xhr_streaming": {"xhr-streaming", "xdr-streaming"},
    "eventsource": {"iframe-eventsource"},
    "htmlfile": {"iframe-htmlfile"},
    "jsonp": {"jsonp-polling"},
}
"""The names of the receiving transports in ``disable_protocols``.

Sending transports have none: a client that may not receive has nothing to send to.
"""
PAGES = frozenset({"greeting", "info", "iframe"})
"""Targets that belong to no session; they answer to HEAD as well."""


class Target(NamedTuple):
    """What a URL asks for: a name in :data:`METHODS`, and for a transport its session.

    The client chooses a transport's ``session``. It tells the client's requests from those of
    others below the same prefix.
    """

    name: str
    session: str = ""

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that it answers to."""
        return METHODS[self.name]


class Parameters(NamedTuple):
    """The parameters in Sheen's prefix.

    ``key`` is the prefix's own text, which all requests of one client share.
    """

    opening: Opening
    worker: str = ""
    key: str = ""


def target(path: str) -> Target | None:
    """Return what ``path``, below the prefix, asks for; None if there is no such thing.

    The ``<server>`` part means nothing.
    """
    if path in ("", "/"):
        return Target("greeting")
    if path == "/info":
        return Target("info")
    if path == "/websocket":
        return Target("raw")
    if _IFRAME.match(path):
        return Target("iframe")
    match = _SESSION.match(path)
    if match is None or match[3] not in METHODS or match[3] in PAGES or match[3] == "raw":
        return None
    return Target(match[3], unquote(match[2]))


def parameters(path: str) -> tuple[Parameters, str]:
    """Return the parameters at the start of ``path``, below ``__sockjs__``, and the rest of it.

    :raises ProtocolError: they contradict each other, or one is malformed.
    """
    found: dict[str, str] = {}
    position = 0
    while (match := _PARAMETER.match(path, position)) is not None:
        name, value = match[1], unquote(match[2])
        if found.setdefault(name, value) != value:
            raise ProtocolError(f"{name}= comes twice")
        position = match.end()
    if "n" in found and "o" in found:
        raise ProtocolError("n= starts a session and o= resumes one: a URL cannot have both")
    return Parameters(_opening(found), found.get("w", ""), path[:position]), path[position:]


def _opening(found: dict[str, str]) -> Opening:
    resume = "o" in found
    robust_id = found.get("o" if resume else "n")
    if robust_id is None:
        if "h" in found:
            raise ProtocolError("h= needs n= or o=")
        return Opening(None)
    if not _ROBUST_ID.match(robust_id):
        raise ProtocolError("an id is 16 to 64 letters and digits")
    if "h" not in found:
        return Opening(robust_id, resume)
    hello = _HELLO.match(found["h"])
    if hello is None:
        raise ProtocolError("h= is <attempt>.<number expected>, as in h=1.0")
    return Opening(robust_id, resume, True, int(hello[1]), parse_number(hello[2]))
