"""The interface of what a SockJS service carries."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from multidict import CIMultiDictProxy

from relay import sockjs
from relay.errors import Ending
from relay.transports.sending import Payload
from relay.transports.urls import Parameters


class ClientRequest(NamedTuple):
    """What a client's request contains."""

    parameters: Parameters
    headers: CIMultiDictProxy[str]
    host: str


class ClientSide(Protocol):
    """One client's side of the application."""

    def take(self) -> str | None:
        """Return the next SockJS frame for the client, or None if there is nothing to send.

        The frame is ``a[…]`` or ``c[…]``.
        """

    def admits(self, visit: ClientRequest) -> bool:
        """Return whether a further request comes from the client's own browser.

        Knowing the URL alone is not enough.
        """

    async def receive(self, payload: Payload) -> None:
        """Handle the client's messages."""

    def lost(self) -> None:
        """Note that the client is gone, or was told the end; called once."""


class ClientRefused(Exception):
    """The client is not let in."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.reason)
        self.ending = ending


class Application(Protocol):
    """The application that clients enter."""

    def open(self, visit: ClientRequest, wake: Callable[[], None]) -> ClientSide:
        """Let a client in; call ``wake`` whenever there may be something to take.

        :raises Refused: the client may not come in.
        """


class Farewell:
    """A client that only learns why it may not come in."""

    def __init__(self, ending: Ending) -> None:
        self._frame = sockjs.close(*ending)

    def take(self) -> str | None:
        """Return the frame that says why."""
        return self._frame

    def admits(self, visit: ClientRequest) -> bool:
        """Return True: anybody may learn why."""
        return True

    async def receive(self, payload: Payload) -> None:
        """Ignore the messages."""

    def lost(self) -> None:
        """Do nothing: the client never came in."""


def enter(application: Application, visit: ClientRequest, wake: Callable[[], None]) -> ClientSide:
    """Let a client in, or return a :class:`Farewell` that tells it why not."""
    try:
        return application.open(visit, wake)
    except ClientRefused as refused:
        return Farewell(refused.ending)
