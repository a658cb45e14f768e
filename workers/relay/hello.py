"""Messages that Sheen's own client and the agent exchange in addition to SockJS.

The client speaks first on a WebSocket (FACTS W3). It says hello with one frame that is a JSON
object::

    {"sheen":1,"id":"<robust id>","resume":false,"attempt":1,"next":"0"}

- ``sheen`` is the version of this protocol.
- ``id`` is what Shiny Server's clients put into ``n=`` and ``o=`` (FACTS S7).
- ``resume`` says whether the client has been connected before.
- ``attempt`` counts its connections from 1. An older hello that arrives late is ignored (FACTS W4).
- ``next`` is the number of the message that the client expects next: its CONTINUE.
- ``"cookies":false`` says that the browser keeps no cookies for this page, as in some frames of
  other sites.

Later, either side may put ``SHEEN {…}`` among its messages. ``{"ping":"<HEX>"}`` from the client
and the answer ``{"pong":"<HEX>"}`` each name the next number that their sender expects.
``{"ticket":"…"}`` from the agent is the ticket for the next reconnect.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import NamedTuple

from relay.errors import ProtocolError
from relay.robust import hexadecimal, parse_number

VERSION = 1
PREFIX = "SHEEN "
_ID = re.compile(r"[0-9A-Za-z]{1,64}\Z")


@dataclass(frozen=True, slots=True)
class Opening:
    """How a connection introduces itself.

    ``robust_id`` is None for a client that does not number its messages; such a client cannot
    resume. ``sheen`` says that it is Sheen's own client, which understands parts, resends within a
    connection and control messages. ``cookies`` is False if its browser keeps no cookies for the
    page.
    """

    robust_id: str | None
    resume: bool = False
    sheen: bool = False
    attempt: int = 0
    next: int = 0
    cookies: bool = True


class Ping(NamedTuple):
    """The client asks for a sign of life."""

    next: int


class Pong(NamedTuple):
    """The answer to a ping."""

    next: int


class FreshTicket(NamedTuple):
    """A fresh ticket."""

    ticket: str


def is_hello(frame: str) -> bool:
    """Return whether a client's frame is meant as a hello."""
    return frame.startswith("{")


def parse_hello(frame: str) -> Opening:
    """Parse a client's hello.

    :raises ProtocolError: it is malformed, or of another version.
    """
    value = _object(frame)
    match value:
        case {
            "sheen": int(version),
            "id": str(robust_id),
            "resume": bool(resume),
            "attempt": int(attempt),
        }:
            if version != VERSION or isinstance(version, bool):
                raise ProtocolError(
                    f"the client speaks version {version}; this is version {VERSION}"
                )
            if not _ID.match(robust_id) or isinstance(attempt, bool) or not 0 < attempt < 1 << 31:
                raise ProtocolError(f"a malformed hello: {frame[:80]!r}")
            return Opening(
                robust_id,
                resume,
                True,
                attempt,
                parse_number(value.get("next")),
                value.get("cookies") is not False,
            )
    raise ProtocolError(f"a malformed hello: {frame[:80]!r}")


def hello(opening: Opening) -> str:
    """Return the frame that says hello."""
    return json.dumps(
        {
            "sheen": VERSION,
            "id": opening.robust_id,
            "resume": opening.resume,
            "attempt": opening.attempt,
            "next": hexadecimal(opening.next),
            **({} if opening.cookies else {"cookies": False}),
        },
        separators=(",", ":"),
    )


def parse_control(text: str) -> Ping | Pong | FreshTicket:
    """Parse a ``SHEEN {…}`` message.

    :raises ProtocolError: this version does not know the message.
    """
    match _object(text.removeprefix(PREFIX)):
        case {"ping": number}:
            return Ping(parse_number(number))
        case {"pong": number}:
            return Pong(parse_number(number))
        case {"ticket": str(ticket)}:
            return FreshTicket(ticket)
    raise ProtocolError(f"an unknown control message: {text[:80]!r}")


def control(message: Ping | Pong | FreshTicket) -> str:
    """Return a ``SHEEN {…}`` message."""
    match message:
        case Ping(number):
            value = {"ping": hexadecimal(number)}
        case Pong(number):
            value = {"pong": hexadecimal(number)}
        case FreshTicket(ticket):
            value = {"ticket": ticket}
    return PREFIX + json.dumps(value, separators=(",", ":"))


def _object(text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {text[:40]!r}") from error
    if not isinstance(value, dict):
        raise ProtocolError(f"not an object: {text[:40]!r}")
    return value
