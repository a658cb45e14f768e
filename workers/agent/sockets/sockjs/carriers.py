"""What carries the sessions' frames: ``@connections`` for WebSocket connections, SockJS's own requests for its clients.

It has the face that :class:`agent.sockets.sessions.Sessions` sees of :class:`agent.sockets.gateway.Gateway`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

Source = Callable[[], str | None]


class Carrier(Protocol):
    """What sessions need to speak to connections."""

    def open(self, connection_id: str, source: Source, gone: Callable[[], None]) -> None:
        """Carry what ``source`` gives, when woken; call ``gone`` once if the connection turns out to have ended."""

    def wake(self, connection_id: str, delay: float = 0.0) -> None:
        """There may be something to carry."""

    def drop(self, connection_id: str) -> None:
        """The connection has ended."""

    def say(self, connection_id: str, frame: str, *, then_close: bool = False) -> None:
        """Say one frame to a connection that belongs to no session."""

    async def flush(self, timeout: float) -> None:  # noqa: ASYNC109 - a limit for all of them together
        """Wait until everything has been said, or the time is over."""


class Pulled:
    """A SockJS client: its requests pull."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.wake = wake
        self.source: Source | None = None
        self.gone: Callable[[], None] | None = None
        self.timer: asyncio.TimerHandle | None = None


class Carriers:
    """``posts`` carries all connections but those that were announced by :meth:`expect`."""

    def __init__(self, posts: Carrier) -> None:
        self._posts = posts
        self._pulled: dict[str, Pulled] = {}

    def expect(self, connection_id: str, wake: Callable[[], None]) -> Pulled:
        """A SockJS client is about to become a session's connection."""
        pulled = self._pulled[connection_id] = Pulled(wake)
        return pulled

    def open(self, connection_id: str, source: Source, gone: Callable[[], None]) -> None:
        """A connection belongs to a session now."""
        pulled = self._pulled.get(connection_id)
        if pulled is None:
            self._posts.open(connection_id, source, gone)
        else:
            pulled.source, pulled.gone = source, gone

    def wake(self, connection_id: str, delay: float = 0.0) -> None:
        """There may be something to say: now, or after ``delay`` seconds."""
        pulled = self._pulled.get(connection_id)
        if pulled is None:
            self._posts.wake(connection_id, delay)
        elif not delay:
            pulled.wake()
        elif pulled.timer is None:
            pulled.timer = asyncio.get_running_loop().call_later(delay, _late, pulled)

    def drop(self, connection_id: str) -> None:
        """The connection has ended."""
        pulled = self._pulled.pop(connection_id, None)
        if pulled is None:
            self._posts.drop(connection_id)
            return
        pulled.source = pulled.gone = None
        if pulled.timer is not None:
            pulled.timer.cancel()
        pulled.wake()

    def say(self, connection_id: str, frame: str, *, then_close: bool = False) -> None:
        """Say one frame to a connection of ``@connections``."""
        self._posts.say(connection_id, frame, then_close=then_close)

    async def flush(self, timeout: float) -> None:  # noqa: ASYNC109 - a limit for all of them together
        """Wait for what is being posted. SockJS's requests end by themselves."""
        await self._posts.flush(timeout)


def _late(pulled: Pulled) -> None:
    pulled.timer = None
    pulled.wake()
