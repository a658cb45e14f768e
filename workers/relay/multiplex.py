"""Channels (FACTS S6): several Shiny sockets of a page share one connection.

``<chan>|o|<relUrl>`` opens a channel, ``<chan>|m|<message>`` carries a message and ``<chan>|c|{…}``
closes the channel. ``<chan>|p|<part>`` is Sheen's own: a part of a message, the rest of which
follows (see :mod:`.chunks`).
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from relay.errors import ProtocolError
from relay.sockjs import whole

_TEXT = re.compile(r"([0-9A-Za-z]{1,16})\|([omcp])\|")


class Open(NamedTuple):
    """A channel opens; ``url`` is relative to the app's."""

    channel: str
    url: str


class Message(NamedTuple):
    """A message, or the last part of one."""

    channel: str
    text: str


class Part(NamedTuple):
    """A part of a message; more follows."""

    channel: str
    text: str


class Close(NamedTuple):
    """A channel closes."""

    channel: str
    code: int
    reason: str


def parse(payload: str) -> Open | Message | Part | Close:
    """Parse one message of the channel layer.

    :raises ProtocolError: it has another form.
    """
    match = _TEXT.match(payload)
    if match is None:
        raise ProtocolError(f"not a channel's message: {payload[:40]!r}")
    channel, kind = match.groups()
    rest = payload[match.end() :]
    if kind == "m":
        return Message(channel, rest)
    if kind == "p":
        return Part(channel, rest)
    if kind == "o":
        return Open(channel, rest)
    return Close(channel, *_closing(rest))


def closing(channel: str, code: int, reason: str) -> str:
    """Return the message that closes a channel."""
    return f"{channel}|c|" + json.dumps({"code": code, "reason": reason}, ensure_ascii=False)


def _closing(text: str) -> tuple[int, str]:
    # A client may leave out the code, the reason or all of it.
    if not text:
        return 1000, ""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"a channel closes with {text[:40]!r}") from error
    if not isinstance(value, dict):
        raise ProtocolError(f"a channel closes with {text[:40]!r}")
    code, reason = value.get("code"), value.get("reason")
    return (
        code if isinstance(code, int) and not isinstance(code, bool) else 1000,
        whole(reason) if isinstance(reason, str) else "",
    )
