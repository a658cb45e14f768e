"""The sessions of this instance: thin I/O around :class:`relay.session.Session`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from websockets.asyncio.client import ClientConnection

from agent.sockets.channel import Channel
from agent.sockets.sockjs.carriers import Carrier
from relay import sockjs
from relay.errors import (
    Ending,
    ResendOverflow,
    ShuttingDown,
    TooMuch,
    TransportDisabled,
    UnknownSession,
)
from relay.events import (
    ChannelClosed,
    ChannelOpened,
    ConnectionSilent,
    Ended,
    Event,
    MessageReceived,
    State,
    TicketDue,
)
from relay.hello import Opening
from relay.session import Session
from relay.settings import RelaySettings
from relay.witness import Witness

log = logging.getLogger(__name__)

_TICK = 0.25
_MOST_CONNECTIONS = 16
"""Most connections of one session; all but one are replaced or have not said hello."""

# What Shiny says about a computation just before it sends the results ("idle" also comes before
# them). With a short wait all of it travels in one frame, and the previous post does not delay the
# results (INTERVAL).
_PRELUDES = ('{"busy":', '{"recalculating":', '{"progress":{"type":"binding"')
_PRELUDE_WAIT = 0.02


class Sessions:
    """Every session of one instance.

    :param gateway: the way to the browsers.
    :param connect_worker: opens R's WebSocket for a session.
    :param issue_ticket: returns a fresh ticket for a session.
    :param clock: seconds, steady.
    :param on_end: gives the session's seat back; called once per session.
    """

    def __init__(
        self,
        gateway: Carrier,
        connect_worker: Callable[[str], Awaitable[ClientConnection]],
        settings: RelaySettings,
        issue_ticket: Callable[[str], str],
        clock: Callable[[], float],
        on_end: Callable[[str], Awaitable[None]],
    ) -> None:
        self._gateway = gateway
        self._connect_worker = connect_worker
        self._settings = settings
        self._issue_ticket = issue_ticket
        self._clock = clock
        self._on_end = on_end
        self._sessions: dict[str, _Carried] = {}
        self._connections: dict[str, str] = {}
        self._ticker: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # What the agent calls

    def use(self, settings: RelaySettings) -> None:
        """Use these settings for new sessions."""
        self._settings = settings

    def reserve(self, session_id: str) -> None:
        """Prepare a session whose page is on its way."""
        if session_id not in self._sessions:
            session = Session(session_id, self._settings, self._clock())
            self._sessions[session_id] = _Carried(self, session)
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
            self._gateway.say(
                connection_id, sockjs.close(*UnknownSession().ending), then_close=True
            )
            return False
        if self._connections.get(connection_id) != session_id:
            if not self._settings.websocket:  # SockJS's clients were attached earlier
                self._gateway.say(
                    connection_id, sockjs.close(*TransportDisabled().ending), then_close=True
                )
                return False
            self._join(connection_id, session_id, carried)
        now = self._clock()
        carried.apply(carried.session.receive(connection_id, frame, now))
        urgent = carried.session.connection != connection_id or carried.session.due(now)
        self._gateway.wake(connection_id, 0.0 if urgent else _PRELUDE_WAIT)
        return True

    def attach(self, connection_id: str, session_id: str, opening: Opening) -> bool:
        """Attach a connection that introduces itself by its URL (SockJS).

        Return False if there is no such session.
        """
        carried = self._sessions.get(session_id)
        if carried is None:
            return False
        self._join(connection_id, session_id, carried)
        carried.apply(carried.session.attach(connection_id, opening, self._clock()))
        self._gateway.wake(connection_id)
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
        self._gateway.drop(connection_id)
        session_id = self._connections.pop(connection_id, None)
        carried = self._sessions.get(session_id) if session_id else None
        if carried is not None:
            carried.connections.pop(connection_id, None)
            carried.apply(carried.session.detach(connection_id, self._clock()))

    def end(self, session_ids: Iterable[str], ending: Ending) -> None:
        """End some sessions, and tell their browsers."""
        for session_id in session_ids:
            if (carried := self._sessions.get(session_id)) is not None:
                carried.apply(carried.session.end(ending, self._clock()))

    async def end_all(self, code: int, reason: str) -> None:
        """End every session; return when all browsers have been told, or after two seconds."""
        for carried in list(self._sessions.values()):
            carried.apply(carried.session.end(Ending(code, reason), self._clock()))
            if carried.session.connection is not None:
                self._gateway.wake(carried.session.connection)
        await self._gateway.flush(2.0)

    async def close(self) -> None:
        """End the remaining sessions, and wait until their seats are given back."""
        await self.end_all(*ShuttingDown().ending)
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.gather(self._ticker, return_exceptions=True)
            self._ticker = None
        for grace in (5.0, 1.0):
            if self._tasks:
                _, late = await asyncio.wait(self._tasks, timeout=grace)
                for task in late:
                    task.cancel()
        for connection_id in list(self._connections):
            self._gateway.drop(connection_id)
        self._connections.clear()
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

    def ids(self) -> list[str]:
        """Return the sessions that hold a seat."""
        return [
            session_id for session_id, carried in self._sessions.items() if not carried.session.over
        ]

    # What the sessions call

    def open_channel(self, carried: _Carried, name: str) -> Channel:
        """Return a new channel of a session, which opens R's socket."""
        channel = Channel(name, carried.session.id, self._connect_worker, carried)
        self.keep(channel.task)
        return channel

    def keep(self, task: asyncio.Task[None]) -> None:
        """Keep a task until it is done, and log its failure."""
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def wake(self, connection_id: str, delay: float = 0.0) -> None:
        """Say that a connection may have something to send."""
        self._gateway.wake(connection_id, delay)

    def now(self) -> float:
        """Return the time."""
        return self._clock()

    def ticket(self, session_id: str) -> str:
        """Return a fresh ticket."""
        return self._issue_ticket(session_id)

    def ended(self, session_id: str, ending: Ending) -> None:
        """Give back the seat of a session that has ended."""
        log.info("session %s ended with %d: %s", session_id, *ending)
        self.keep(asyncio.get_running_loop().create_task(self._give_back(session_id)))

    def lost(self, connection_id: str) -> None:
        """Forget a connection that is gone, according to the gateway."""
        self._connections.pop(connection_id, None)

    def give_up(self, connection_id: str) -> None:
        """Treat a silent connection as gone, and cut it in case it is not."""
        self.lost(connection_id)
        self._gateway.drop(connection_id)
        self._gateway.say(connection_id, sockjs.HEARTBEAT, then_close=True)

    def _join(self, connection_id: str, session_id: str, carried: _Carried) -> None:
        self._connections[connection_id] = session_id
        self._gateway.open(
            connection_id, carried.source(connection_id), carried.gone(connection_id)
        )
        carried.connections[connection_id] = None
        if len(carried.connections) > _MOST_CONNECTIONS:
            # The end of a connection may never be reported (FACTS W3).
            oldest = next(
                known
                for known in carried.connections
                if known not in (connection_id, carried.session.connection)
            )
            del carried.connections[oldest]
            self._connections.pop(oldest, None)
            self._gateway.drop(oldest)
            carried.apply(carried.session.detach(oldest, self._clock()))

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a session's task failed", exc_info=error)

    async def _give_back(self, session_id: str) -> None:
        await self._on_end(session_id)

    async def _tick(self) -> None:
        while self._sessions:
            await asyncio.sleep(_TICK)
            now = self._clock()
            for session_id, carried in list(self._sessions.items()):
                session = carried.session
                carried.apply(session.tick(now))
                if session.state is State.FORGOTTEN:
                    self._forget(session_id)
                elif session.connection is not None and session.due(now):
                    self._gateway.wake(session.connection)
            self._keep_bounded(now)
        self._ticker = None

    def _keep_bounded(self, now: float) -> None:
        """End the sessions that hold most, while all sessions together hold too much."""
        live = [carried for carried in self._sessions.values() if not carried.session.over]
        total = sum(carried.session.waiting for carried in live)
        while total > self._settings.instance_bytes:
            largest = max(live, key=lambda carried: carried.session.waiting)
            live.remove(largest)
            total -= largest.session.waiting
            session = largest.session
            error = ResendOverflow() if 2 * session.waiting_out > session.waiting else TooMuch()
            log.warning(
                "all sessions together hold too much; session %s ends, which holds %d bytes",
                session.id,
                session.waiting,
            )
            largest.apply(session.end(error.ending, now, flush=False))

    def _forget(self, session_id: str) -> None:
        del self._sessions[session_id]
        for connection_id in [
            known for known, owner in self._connections.items() if owner == session_id
        ]:
            del self._connections[connection_id]
            self._gateway.drop(connection_id)


class _Carried:
    """A session with its channels to R."""

    def __init__(self, sessions: Sessions, session: Session) -> None:
        self._sessions = sessions
        self.session = session
        self.witness = Witness()
        self.visitor = ""
        self.since = sessions.now()
        self.connections: dict[str, None] = {}
        self._channels: dict[str, Channel] = {}
        self._room = asyncio.Event()
        self._room.set()

    def source(self, connection_id: str) -> Callable[[], str | None]:
        """Return the function with which the gateway pulls a connection's frames."""
        session, now = self.session, self._sessions.now
        limit = 1 << 30  # the session's own frame limit is smaller
        return lambda: session.take(connection_id, limit, now())

    def gone(self, connection_id: str) -> Callable[[], None]:
        """Return the function to call when a connection turns out to have ended."""

        def lost() -> None:
            self._sessions.lost(connection_id)
            self.connections.pop(connection_id, None)
            self.apply(self.session.detach(connection_id, self._sessions.now()))

        return lost

    def apply(self, events: Iterable[Event]) -> None:
        """Carry out the session's events, and let R be read again if there is room now."""
        for event in events:
            match event:
                case MessageReceived(channel=name, text=text):
                    self.witness.from_page(name, text)
                    if (channel := self._channels.get(name)) is not None:
                        channel.send(event)
                case ChannelOpened(channel=name):
                    self._channels[name] = self._sessions.open_channel(self, name)
                case ChannelClosed(channel=name, code=code, reason=reason):
                    if (channel := self._channels.pop(name, None)) is not None:
                        channel.close(code, reason)
                case ConnectionSilent(connection):
                    self.connections.pop(connection, None)
                    self._sessions.give_up(connection)
                case TicketDue():
                    self.session.renew(self._sessions.ticket(self.session.id), self._sessions.now())
                    self._wake()
                case Ended(ending=ending):
                    for channel in self._channels.values():
                        channel.close(1001)
                    self._channels.clear()
                    self._sessions.ended(self.session.id, ending)
                    self._wake()
        if self.session.writable or self.session.over:
            self._room.set()

    # Implements channel.Owner

    def from_r(self, channel: str, message: str) -> None:
        """Handle a message from R."""
        self.witness.from_worker(channel, message)
        self.apply(self.session.send(channel, message, self._sessions.now()))
        if not self.session.writable:
            self._room.clear()
        self._wake(_PRELUDE_WAIT if message.startswith(_PRELUDES) else 0.0)

    def r_took(self, size: int) -> None:
        """Note that R has taken messages of this size."""
        self.session.consumed(size)
        # Only a client that waits for an acknowledgement needs one now.
        if self.session.connection is not None and self.session.due(self._sessions.now()):
            self._wake()

    def r_closed(self, channel: str, code: int, reason: str) -> None:
        """Note that R's socket is gone."""
        self._channels.pop(channel, None)
        self.apply(self.session.close_channel(channel, code, reason, self._sessions.now()))
        self._wake()

    async def room(self) -> None:
        """Wait until the browser's side has room."""
        await self._room.wait()

    def _wake(self, delay: float = 0.0) -> None:
        if self.session.connection is not None:
            self._sessions.wake(self.session.connection, delay)
