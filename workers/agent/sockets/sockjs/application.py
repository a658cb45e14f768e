"""What a SockJS service carries."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from multidict import CIMultiDictProxy

from relay import sockjs
from relay.errors import Ending
from relay.transports.sending import Payload
from relay.transports.urls import Parameters


class Visit(NamedTuple):
    """What a client's request says."""

    parameters: Parameters
    headers: CIMultiDictProxy[str]
    host: str


class Carried(Protocol):
    """One client's side of the application."""

    def take(self) -> str | None:
        """The next SockJS frame for the client, ``a[…]`` or ``c[…]``; None when there is nothing to say."""

    def admits(self, visit: Visit) -> bool:
        """Whether a further request comes from the client's own browser: its URL alone is no pass."""

    async def receive(self, payload: Payload) -> None:
        """What the client says."""

    def lost(self) -> None:
        """The client is gone, or was told the end. Called once."""


class Refused(Exception):
    """The client may not come in."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.reason)
        self.ending = ending


class Application(Protocol):
    """What clients come to."""

    def open(self, visit: Visit, wake: Callable[[], None]) -> Carried:
        """A client comes; call ``wake`` whenever there may be something to take.

        :raises Refused: it may not.
        """


class Farewell:
    """A client that only learns why it may not come in."""

    def __init__(self, ending: Ending) -> None:
        self._frame = sockjs.close(*ending)

    def take(self) -> str | None:
        """The end."""
        return self._frame

    def admits(self, visit: Visit) -> bool:
        """Anybody may learn why."""
        return True

    async def receive(self, payload: Payload) -> None:
        """Nobody listens."""

    def lost(self) -> None:
        """It was never here."""


def enter(application: Application, visit: Visit, wake: Callable[[], None]) -> Carried:
    """Let a client in, or tell it why not."""
    try:
        return application.open(visit, wake)
    except Refused as refused:
        return Farewell(refused.ending)
