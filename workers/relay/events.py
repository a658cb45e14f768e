"""The events that a session gives to the agent's edge, and the states of a session's life."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from relay.errors import Ending


class State(Enum):
    """A session's life: RESERVED → CONNECTED ⇄ AWAY → ENDED → FORGOTTEN."""

    RESERVED = "reserved"
    CONNECTED = "connected"
    AWAY = "away"
    ENDED = "ended"
    FORGOTTEN = "forgotten"


class ChannelOpened(NamedTuple):
    """Open a socket to R for this channel; ``url`` is relative to the app's."""

    channel: str
    url: str


class MessageReceived(NamedTuple):
    """Hand the message to R, then call ``Session.consumed`` with ``size``."""

    channel: str
    text: str
    size: int


class ChannelClosed(NamedTuple):
    """Close the channel's socket to R."""

    channel: str
    code: int
    reason: str


class ConnectionSilent(NamedTuple):
    """The connection was given up: close it, if it still exists, and forget it."""

    connection: str


class TicketDue(NamedTuple):
    """Call ``Session.renew`` with a fresh ticket."""


class Ended(NamedTuple):
    """The session has ended for this reason; the event comes once."""

    ending: Ending


Event = ChannelOpened | MessageReceived | ChannelClosed | ConnectionSilent | TicketDue | Ended
