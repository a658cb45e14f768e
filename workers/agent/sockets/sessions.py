"""The sessions of this instance: thin I/O around :class:`relay.session.Session`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from agent.log import logger
from agent.sockets.carried import CarriedSession, Ways
from relay import sockjs
from relay.errors import (
    Ending,
    ResendOverflow,
    ShuttingDown,
    TooMuch,
    TransportDisabled,
    UnknownSession,
)
from relay.events import State
from relay.hello import Opening
from relay.session import Session
from relay.settings import RelaySettings

_TICK = 0.25


class Sessions:
    """Every session of one instance; ``settings`` are those of new sessions."""

    def __init__(self, ways: Ways, settings: RelaySettings) -> None:
        self._ways = ways
        self._settings = settings
        self._sessions: dict[str, CarriedSession] = {}
        self._ticker: asyncio.Task[None] | None = None

    @property
    def settings(self) -> RelaySettings:
        """The settings of new sessions."""
        return self._settings

    def listen(self, on_end: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        """Call ``on_end`` once for each session that ends, so that its seat is given back."""
        self._ways.on_end = on_end

    def use(self, settings: RelaySettings) -> None:
        """Use these settings for new sessions."""
        self._settings = settings

    def reserve(self, session_id: str) -> None:
        """Prepare a session whose page is on its way."""
        if session_id not in self._sessions:
            session = Session(session_id, self._settings, self._ways.clock())
            self._sessions[session_id] = CarriedSession(session, self._ways)
        if self._ticker is None:
            self._ticker = asyncio.get_running_loop().create_task(self._tick())

    def belongs(self, session_id: str, visitor: str) -> None:
        """Note that a session's page goes to this visitor (:mod:`chalicelib.sessions.passes`)."""
        if (carried := self._sessions.get(session_id)) is not None:
            carried.visitor = visitor

    def visitor_of(self, session_id: str) -> str:
        """Return the visitor to whom a session belongs; empty if there is no such session."""
        carried = self._sessions.get(session_id)
        return carried.visitor if carried is not None else ""

    def keeps_cookies(self, session_id: str) -> bool:
        """Return whether a session's browser keeps cookies for the page, as far as is known."""
        carried = self._sessions.get(session_id)
        return carried is None or carried.session.cookies

    def session_of_token(self, token: str) -> str | None:
        """Return the session to which a worker gave this token of Shiny's.

        Return None if there is none, or if it has ended.
        """
        live = (
            (session_id, carried)
            for session_id, carried in self._sessions.items()
            if not carried.session.over
        )
        return next(
            (session_id for session_id, carried in live if carried.witness.knows(token)), None
        )

    def accepts_upload(self, session_id: str, target: str, size: int) -> bool:
        """Return whether the worker agreed to take a file of this size at this URL.

        The agreement must be with the session's own page.
        """
        carried = self._sessions.get(session_id)
        return carried is not None and carried.witness.accepts(target, size)

    async def message(self, connection_id: str, session_id: str, frame: str) -> bool:
        """Handle a frame from a browser.

        Return False if there is no such session; the browser has then been told.
        """
        carried = self._sessions.get(session_id)
        if carried is None:
            self._refuse(connection_id, UnknownSession().ending)
            return False
        if connection_id not in carried.connections:
            if not self._settings.websocket:  # SockJS's clients were attached earlier
                self._refuse(connection_id, TransportDisabled().ending)
                return False
            carried.join(connection_id)
        carried.receive(connection_id, frame)
        return True

    def attach(self, connection_id: str, session_id: str, opening: Opening) -> bool:
        """Attach a connection that introduces itself by its URL (SockJS).

        Return False if there is no such session.
        """
        carried = self._sessions.get(session_id)
        if carried is None:
            return False
        carried.join(connection_id)
        carried.attach(connection_id, opening)
        return True

    def session_of(self, robust_id: str) -> str | None:
        """Return the session whose client has this id."""
        return next(
            (
                session_id
                for session_id, carried in self._sessions.items()
                if carried.session.robust_id == robust_id
            ),
            None,
        )

    async def disconnect(self, connection_id: str) -> None:
        """Note that a connection is gone."""
        self._ways.carrier.drop(connection_id)
        for carried in self._sessions.values():
            if connection_id in carried.connections:
                carried.leave(connection_id)

    def end(self, session_ids: Iterable[str], ending: Ending) -> None:
        """End some sessions, and tell their browsers."""
        for session_id in session_ids:
            if (carried := self._sessions.get(session_id)) is not None:
                carried.end(ending)

    async def end_all(self, code: int, reason: str) -> None:
        """End every session; return when all browsers have been told, or after two seconds."""
        for carried in list(self._sessions.values()):
            carried.end(Ending(code, reason))
            carried.wake()
        await self._ways.carrier.flush(2.0)

    async def close(self) -> None:
        """End the remaining sessions, and wait until their seats are given back."""
        await self.end_all(*ShuttingDown().ending)
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.gather(self._ticker, return_exceptions=True)
            self._ticker = None
        await self._ways.tasks.settle(5.0, 1.0)
        for carried in self._sessions.values():
            carried.drop()
        self._sessions.clear()

    def active(self) -> int:
        """Return how many sessions have a visitor who is connected or may come back."""
        return sum(carried.session.active for carried in self._sessions.values())

    def reserved(self) -> int:
        """Return how many pages are on their way."""
        return sum(carried.session.state is State.RESERVED for carried in self._sessions.values())

    def waiting(self) -> dict[str, float]:
        """Return the sessions whose page waits for its first connection, with their start times."""
        return {
            session_id: carried.since
            for session_id, carried in self._sessions.items()
            if carried.session.state is State.RESERVED
        }

    def has_seat(self, session_id: str) -> bool:
        """Return whether a session holds a seat: it is reserved or live."""
        carried = self._sessions.get(session_id)
        return carried is not None and not carried.session.over

    def ids(self) -> list[str]:
        """Return the sessions that hold a seat."""
        return [
            session_id for session_id, carried in self._sessions.items() if not carried.session.over
        ]

    def _refuse(self, connection_id: str, ending: Ending) -> None:
        self._ways.carrier.say(connection_id, sockjs.close(*ending), then_close=True)

    async def _tick(self) -> None:
        while self._sessions:
            await asyncio.sleep(_TICK)
            now = self._ways.clock()
            for session_id, carried in list(self._sessions.items()):
                carried.tick(now)
                if carried.session.state is State.FORGOTTEN:
                    del self._sessions[session_id]
                    carried.drop()
            self._keep_bounded()
        self._ticker = None

    def _keep_bounded(self) -> None:
        """End the sessions that hold most, while all sessions together hold too much."""
        live = [carried for carried in self._sessions.values() if not carried.session.over]
        total = sum(carried.session.waiting for carried in live)
        while total > self._settings.instance_bytes:
            largest = max(live, key=lambda carried: carried.session.waiting)
            live.remove(largest)
            session, held = largest.session, largest.session.waiting
            total -= held
            error = ResendOverflow() if 2 * session.waiting_out > held else TooMuch()
            logger.warning(
                "all sessions together hold too much; the one that holds most ends",
                extra={"session": session.id, "bytes": held},
            )
            largest.end(error.ending, flush=False)
