"""A session that is carried: its connections to the browser, and its channels to R.

A channel is a WebSocket to R. It is read only while the browser keeps up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, WebSocketException

from agent.log import logger
from agent.sockets.carriers import Carrier, Connection
from agent.sockets.tasks import Tasks
from chalicelib.clock import Steady
from relay import sockjs
from relay.errors import AppExited, Ending
from relay.events import (
    ChannelClosed,
    ChannelOpened,
    ConnectionSilent,
    Ended,
    Event,
    MessageReceived,
    TicketDue,
)
from relay.hello import Opening
from relay.session import Session
from relay.witness import Witness

_CLOSE = 10.0
_MOST_CONNECTIONS = 16
"""Most connections of one session; all but one are replaced or have not said hello."""
_FRAME_LIMIT = 1 << 30
"""The session's own limit is smaller."""

# What Shiny says about a computation just before it sends the results ("idle" also comes before
# them). With a short wait all of it travels in one frame, and the previous post does not delay the
# results (INTERVAL).
_PRELUDES = ('{"busy":', '{"recalculating":', '{"progress":{"type":"binding"')
_PRELUDE_WAIT = 0.02


async def _nobody_listens(_session_id: str) -> None:
    """Do nothing."""


@dataclass(slots=True)
class Ways:
    """What all sessions of an instance use to reach browsers, R and the scheduler."""

    carrier: Carrier
    """The way to the browsers."""
    connect_worker: Callable[[str], Awaitable[ClientConnection]]
    """Opens R's WebSocket for a session."""
    issue_ticket: Callable[[str], str]
    """Returns a fresh ticket for a session."""
    clock: Steady
    """Seconds."""
    on_end: Callable[[str], Coroutine[Any, Any, None]] = _nobody_listens
    """Gives the session's seat back; called once per session."""
    tasks: Tasks = field(default_factory=Tasks)


class CarriedSession:
    """A session with its connections to the browser and its channels to R."""

    def __init__(self, session: Session, ways: Ways) -> None:
        self._ways = ways
        self.session = session
        self.witness = Witness()
        self.visitor = ""
        self.since = ways.clock()
        self.connections: dict[str, Connection] = {}
        self._channels: dict[str, Channel] = {}
        self._room = asyncio.Event()
        self._room.set()

    # The browser's side

    def join(self, connection_id: str) -> None:
        """Carry this connection's frames from here on."""
        ways, session = self._ways, self.session

        def source() -> str | None:
            return session.take(connection_id, _FRAME_LIMIT, ways.clock())

        self.connections[connection_id] = ways.carrier.open(
            connection_id, source, lambda: self.leave(connection_id)
        )
        if len(self.connections) > _MOST_CONNECTIONS:
            # The end of a connection may never be reported (FACTS W3).
            oldest = next(
                known
                for known in self.connections
                if known not in (connection_id, session.connection)
            )
            ways.carrier.drop(oldest)
            self.leave(oldest)

    def receive(self, connection_id: str, frame: str) -> None:
        """Handle a frame from a browser."""
        now = self._ways.clock()
        self.apply(self.session.receive(connection_id, frame, now))
        urgent = self.session.connection != connection_id or self.session.due(now)
        self._wake(connection_id, 0.0 if urgent else _PRELUDE_WAIT)

    def attach(self, connection_id: str, opening: Opening) -> None:
        """Let a connection introduce itself."""
        self.apply(self.session.attach(connection_id, opening, self._ways.clock()))
        self._wake(connection_id)

    def leave(self, connection_id: str) -> None:
        """Note that a connection has ended."""
        self.connections.pop(connection_id, None)
        self.apply(self.session.detach(connection_id, self._ways.clock()))

    def tick(self, now: float) -> None:
        """Do what is due by time."""
        self.apply(self.session.tick(now))
        if self.session.connection is not None and self.session.due(now):
            self.wake()

    def end(self, ending: Ending, *, flush: bool = True) -> None:
        """End the session; with ``flush`` the browser still gets what R said before."""
        self.apply(self.session.end(ending, self._ways.clock(), flush=flush))

    def drop(self) -> None:
        """Forget all connections."""
        for connection_id in self.connections:
            self._ways.carrier.drop(connection_id)
        self.connections.clear()

    def wake(self, delay: float = 0.0) -> None:
        """Send what the session has for its browser, now or after ``delay`` seconds."""
        if self.session.connection is not None:
            self._wake(self.session.connection, delay)

    def _wake(self, connection_id: str, delay: float = 0.0) -> None:
        if (connection := self.connections.get(connection_id)) is not None:
            connection.wake(delay)

    # The session's decisions

    def apply(self, events: Iterable[Event]) -> None:
        """Carry out the session's events, and let R be read again if there is room now."""
        for event in events:
            match event:
                case MessageReceived(channel=name, text=text):
                    self.witness.from_page(name, text)
                    if (channel := self._channels.get(name)) is not None:
                        channel.send(event)
                case ChannelOpened(channel=name):
                    self._channels[name] = Channel(name, self, self._ways)
                case ChannelClosed(channel=name, code=code, reason=reason):
                    if (channel := self._channels.pop(name, None)) is not None:
                        channel.close(code, reason)
                case ConnectionSilent(connection):
                    self._give_up(connection)
                case TicketDue():
                    ticket = self._ways.issue_ticket(self.session.id)
                    self.session.renew(ticket, self._ways.clock())
                    self.wake()
                case Ended(ending=ending):
                    self._ended(ending)
        if self.session.writable or self.session.over:
            self._room.set()

    def _give_up(self, connection_id: str) -> None:
        """Treat a silent connection as gone, and cut it in case it is not."""
        self.connections.pop(connection_id, None)
        self._ways.carrier.drop(connection_id)
        self._ways.carrier.say(connection_id, sockjs.HEARTBEAT, then_close=True)

    def _ended(self, ending: Ending) -> None:
        for channel in self._channels.values():
            channel.close(1001)
        self._channels.clear()
        logger.info(
            "a session ended",
            extra={"session": self.session.id, "code": ending.code, "reason": ending.reason},
        )
        self._ways.tasks.start(self._ways.on_end(self.session.id))
        self.wake()

    # R's side

    def from_r(self, channel: str, message: str) -> None:
        """Handle a message from R."""
        self.witness.from_worker(channel, message)
        self.apply(self.session.send(channel, message, self._ways.clock()))
        if not self.session.writable:
            self._room.clear()
        self.wake(_PRELUDE_WAIT if message.startswith(_PRELUDES) else 0.0)

    def r_took(self, size: int) -> None:
        """Note that R has taken messages of this size."""
        self.session.consumed(size)
        # Only a client that waits for an acknowledgement needs one now.
        if self.session.connection is not None and self.session.due(self._ways.clock()):
            self.wake()

    def r_closed(self, channel: str, code: int, reason: str) -> None:
        """Note that R's socket is gone; a code of at least 4000 also ends the session."""
        self._channels.pop(channel, None)
        self.apply(self.session.close_channel(channel, code, reason, self._ways.clock()))
        self.wake()

    async def room(self) -> None:
        """Wait until the browser's side has room."""
        await self._room.wait()


class Channel:
    """Carries messages from the opening of a channel until R or the session closes it."""

    def __init__(self, name: str, carried: CarriedSession, ways: Ways) -> None:
        self.name = name
        self._session_id = carried.session.id
        self._connect = ways.connect_worker
        self._carried = carried
        self._queue: deque[MessageReceived] = deque()
        self._wanted = asyncio.Event()
        self._closing: tuple[int, str] | None = None
        self.task = ways.tasks.start(self._run())

    def send(self, message: MessageReceived) -> None:
        """Queue a message for R; the session limits how much may be queued."""
        self._queue.append(message)
        self._wanted.set()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close R's socket after the queued messages, without telling the session."""
        self._closing = (
            code if 1000 <= code < 1016 and code not in (1004, 1005, 1006, 1015) else 1000,
            reason,
        )
        self._wanted.set()
        # An R that no longer reads cannot hold a session that is over.
        timer = asyncio.get_running_loop().call_later(_CLOSE, self.task.cancel)
        self.task.add_done_callback(lambda _: timer.cancel())

    async def _run(self) -> None:
        try:
            socket = await self._connect(self._session_id)
        except (OSError, WebSocketException, TimeoutError) as error:
            logger.warning(
                "R's socket does not open",
                extra={"session": self._session_id, "error": repr(error)},
            )
            self._closed(*AppExited().ending)
            return
        writer = asyncio.get_running_loop().create_task(self._write(socket))
        try:
            await self._read(socket)
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            await socket.close()
        self._closed(*_ending(socket))

    async def _read(self, socket: ClientConnection) -> None:
        try:
            while True:
                await self._carried.room()
                message = await socket.recv(decode=None)
                if self._closing is None:
                    text = (
                        message if isinstance(message, str) else message.decode("utf-8", "replace")
                    )
                    self._carried.from_r(self.name, text)
        except ConnectionClosed:
            return

    async def _write(self, socket: ClientConnection) -> None:
        try:
            while True:
                while self._queue:
                    message = self._queue.popleft()
                    await socket.send(message.text)
                    self._carried.r_took(message.size)
                if self._closing is not None:
                    await socket.close(self._closing[0], self._closing[1][:100])
                    return
                self._wanted.clear()
                await self._wanted.wait()
        except ConnectionClosed:
            return

    def _closed(self, code: int, reason: str) -> None:
        if self._closing is None:
            self._closing = (code, reason)
            self._carried.r_closed(self.name, code, reason)


def _ending(socket: ClientConnection) -> tuple[int, str]:
    # Without a closing handshake, the process died. With one, R wanted to close, whatever the code.
    code = socket.close_code
    if code is None or code == 1006:
        return AppExited().ending
    return (1000 if code < 3000 else min(code, 3999)), socket.close_reason or ""
