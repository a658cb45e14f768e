"""Puts the relay client into an app's page: a JSON script element and the script itself.

The JSON element holds the client's configuration.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from relay.settings import FRAME_FROM_BROWSER, RelaySettings

_MARK = re.compile(
    rb"<(?:(?P<comment>!--)|(?P<text>script|style|title|textarea|noscript|template)\b|/(?P<head>head)\s*>|(?P<body>body)\b)",
    re.IGNORECASE,
)
"""The tags that matter on the way to the end of the head.

These are the end of the head, the start of the body, and the start of any part whose content is
text.
"""
_ENDS = {
    name: re.compile(rb"</%b\s*>" % name, re.IGNORECASE)
    for name in (b"script", b"style", b"title", b"textarea", b"noscript", b"template")
}
_COMMENT_END = re.compile(rb"-->")
_START = re.compile(rb"\s*(?:<!doctype[^>]*>)?\s*(?:<html\b[^>]*>)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PageConfig:
    """What the client in one page must know."""

    session: str
    ticket: str
    websocket_url: str
    """Absolute (``wss://…``), or a path on the page's own host."""
    base: str
    """The app's public path without a trailing slash; empty for an app at the root."""
    client_hash: str
    """Hash of the client's file, so that browsers may keep the file for ever."""
    worker: str = ""
    """The R process's id, which the client puts into SockJS's URLs as ``w=`` (FACTS S3)."""
    settings: RelaySettings = field(default_factory=RelaySettings)

    @property
    def script_url(self) -> str:
        """The URL at which the page finds the client."""
        return f"{self.base}/__sheen__/relay.js?{self.client_hash}"

    def as_json(self) -> dict[str, object]:
        """Return the configuration for the client.

        ``client/src/config.ts`` has the same names.
        """
        settings = self.settings
        return {
            "session": self.session,
            "ticket": self.ticket,
            "websocketUrl": self.websocket_url,
            "base": self.base,
            "worker": self.worker,
            "settings": {
                "reconnect": settings.reconnect,
                "disabled": list(settings.disabled),
                "heartbeatSeconds": settings.heartbeat,
                "graceSeconds": settings.grace,
                "greyAfterSeconds": settings.client_grey,
                "keepaliveSeconds": settings.client_keepalive,
                "aliveSeconds": settings.client_alive,
                "refreshSeconds": settings.client_refresh,
                "ackSeconds": settings.client_ack_delay,
                "ackBytes": settings.ack_bytes,
                "frameLimit": FRAME_FROM_BROWSER - 512,
                "windowBytes": settings.client_window,
                "windowCount": settings.client_window_count,
                "maxMessage": settings.max_message,
            },
        }


def inject(html: bytes, config: PageConfig, more: bytes = b"") -> bytes:
    """Return ``html`` with the client, and ``more`` after it, before ``</head>``.

    Without ``</head>`` the client goes before ``<body>``, and without either, at the start.
    """
    position = _position(html)
    return html[:position] + element(config) + more + html[position:]


def element(config: PageConfig) -> bytes:
    """Return the two script elements, in ASCII."""
    # Nothing is unescaped in a script element, so no character may look like the element's end.
    text = json.dumps(config.as_json(), separators=(",", ":"))
    text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    source = _attribute(config.script_url)
    return (
        f'<script type="application/json" id="sheen-config">{text}</script>\n<script '
        f'src="{source}"></script>\n'
    ).encode("ascii", "xmlcharrefreplace")


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def _position(html: bytes) -> int:
    """Return where the client goes in.

    Each byte is read a bounded number of times, whatever the page contains.
    """
    at = 0
    endless: set[bytes] = set()
    while (mark := _MARK.search(html, at)) is not None:
        if mark["head"] is not None or mark["body"] is not None:
            return mark.start()
        at = mark.end()
        name = mark["text"].lower() if mark["text"] is not None else b"!--"
        if name in endless:
            continue
        end = _ENDS.get(name, _COMMENT_END).search(html, at)
        if end is None:
            endless.add(name)  # no such part that starts later can end either
        else:
            at = end.end()
    start = _START.match(html)
    return start.end() if start else 0
