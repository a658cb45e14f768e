"""Carries the sessions' frames, by ``@connections`` or by SockJS's own requests.

``@connections`` serves WebSocket connections, and SockJS's requests serve its clients.
:class:`Carriers` has the interface of :class:`agent.sockets.gateway.Gateway` that
:class:`agent.sockets.sessions.Sessions` uses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

Source = Callable[[], str | None]


class Connection(Protocol):
    """A connection that a session can send to."""

    def wake(self, delay: float = 0.0) -> None:
        """Note that there may be something to carry, now or after ``delay`` seconds."""


class Carrier(Protocol):
    """What sessions need in order to send to connections."""

    def open(self, connection_id: str, source: Source, gone: Callable[[], None]) -> Connection:
        """Carry the frames of ``source`` when woken.

        ``gone`` is called once if the connection turns out to have ended.
        """

    def drop(self, connection_id: str) -> None:
        """Forget a connection that has ended."""

    def say(self, connection_id: str, frame: str, *, then_close: bool = False) -> None:
        """Send one frame to a connection that belongs to no session."""

    async def flush(self, timeout: float) -> None:  # noqa: ASYNC109 - for all of them together
        """Wait until everything is sent, or ``timeout`` seconds have passed."""


class PollingConnection:
    """A SockJS client, whose requests pull its frames; ``pull`` lets a request come for them."""

    def __init__(self, pull: Callable[[], None]) -> None:
        self._pull = pull
        self._timer: asyncio.TimerHandle | None = None
        self.source: Source | None = None
        self.gone: Callable[[], None] | None = None

    def wake(self, delay: float = 0.0) -> None:
        """Let the client pull now, or after ``delay`` seconds."""
        if not delay:
            self._pull()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(delay, self._late)

    def end(self) -> None:
        """Let the client learn that its session has ended."""
        self.source = self.gone = None
        if self._timer is not None:
            self._timer.cancel()
        self._pull()

    def _late(self) -> None:
        self._timer = None
        self._pull()


class Carriers:
    """Carries the frames of all connections.

    ``posts`` carries every connection that was not announced by :meth:`expect`.
    """

    def __init__(self, posts: Carrier) -> None:
        self._posts = posts
        self._pulled: dict[str, PollingConnection] = {}

    def expect(self, connection_id: str, pull: Callable[[], None]) -> PollingConnection:
        """Announce a SockJS client that is about to become a session's connection."""
        pulled = self._pulled[connection_id] = PollingConnection(pull)
        return pulled

    def open(self, connection_id: str, source: Source, gone: Callable[[], None]) -> Connection:
        """Note that a connection belongs to a session now."""
        pulled = self._pulled.get(connection_id)
        if pulled is None:
            return self._posts.open(connection_id, source, gone)
        pulled.source, pulled.gone = source, gone
        return pulled

    def drop(self, connection_id: str) -> None:
        """Forget a connection that has ended."""
        pulled = self._pulled.pop(connection_id, None)
        if pulled is None:
            self._posts.drop(connection_id)
        else:
            pulled.end()

    def say(self, connection_id: str, frame: str, *, then_close: bool = False) -> None:
        """Send one frame to a connection of ``@connections``."""
        self._posts.say(connection_id, frame, then_close=then_close)

    async def flush(self, timeout: float) -> None:  # noqa: ASYNC109 - for all of them together
        """Wait for what is being posted; SockJS's requests end by themselves."""
        await self._posts.flush(timeout)
