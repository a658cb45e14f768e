"""One visitor's session: what the connections that come and go carry between a page and R.

The agent's thin edge feeds it and obeys it::

    events = session.receive(connection, frame, now)     # from the browser: what to tell R
    session.send(channel, message, now)                  # from R
    frame = session.take(connection, limit, now)         # the next frame to post; one at a time
    events = session.tick(now)                           # a few times a second

Output is pulled: nothing is lost between a failed post and the next connection, and while :attr:`Session.writable` is
False the edge does not read R, so a slow browser slows R and memory stays bounded.
"""

from __future__ import annotations

from chalicelib.relay import hello, multiplex, robust, sockjs
from chalicelib.relay.chunks import Assembly, split
from chalicelib.relay.connections import Gone, Refusals, Strangers
from chalicelib.relay.errors import (
    ConnectionLost,
    Ending,
    MessageTooBig,
    ProtocolError,
    RelayError,
    SessionClosed,
    SessionTaken,
    UnknownSession,
)
from chalicelib.relay.events import (
    ChannelClosed,
    ChannelOpened,
    Ended,
    Event,
    MessageReceived,
    State,
    TicketDue,
)
from chalicelib.relay.hello import Opening
from chalicelib.relay.settings import RelaySettings

_MAX_CHANNELS = 32
_OVERHEAD = 64  # what a short message costs in memory besides its text


class Session:
    """One session's state. No method does I/O; ``now`` is in seconds on any steady clock."""

    def __init__(self, session_id: str, settings: RelaySettings, now: float) -> None:
        self.id = session_id
        self.state = State.RESERVED
        self.connection: str | None = None
        self.channels: set[str] = set()
        self.ending: Ending | None = None
        self._settings = settings
        self._deadline = now + settings.reservation
        self._opening: Opening | None = None
        self._attempt = 0
        self._out = robust.Outgoing(settings.buffer_limit)
        self._in = robust.Incoming(settings.reorder_bytes, settings.reorder_count)
        self._assemblies: dict[str, Assembly] = {}
        self._unread = 0
        self._say_continue = self._say_pong = False
        self._say_ticket: str | None = None
        self._greeted = False
        self._parted = False
        self._awaiting_continue = False
        self._heard = self._spoke = self._progress = now
        self._ticket_at = now
        self._asked_at = now
        self._strangers = Strangers(settings.reorder_bytes)
        self._refusals = Refusals()
        self._gone = Gone()

    # What the browser's side does

    def receive(self, connection: str, frame: str, now: float) -> list[Event]:
        """A frame from a connection, in any order and any number of times (FACTS W4)."""
        events: list[Event] = []
        try:
            if connection == self.connection:
                self._frame(connection, frame, now, events)
            elif hello.is_hello(frame):
                self._attach(connection, hello.parse_hello(frame), now, events)
            elif connection in self._gone:
                self._late(connection, frame, now, events)
            else:
                self._strangers.add(connection, frame)
        except RelayError as error:
            self._fail(connection, error, now, events)
        return events

    def attach(self, connection: str, opening: Opening, now: float) -> list[Event]:
        """A connection that introduces itself by its URL instead of a hello (SockJS)."""
        events: list[Event] = []
        try:
            self._attach(connection, opening, now, events)
        except RelayError as error:
            self._fail(connection, error, now, events)
        return events

    def detach(self, connection: str, now: float) -> list[Event]:
        """A connection is gone. Its frames may still come (FACTS W4)."""
        self._strangers.pop(connection)
        self._refusals.pop(connection)
        self._gone.add(connection, ours=connection == self.connection)
        if connection != self.connection:
            return []
        self.connection = None
        if self.state is not State.CONNECTED:
            return []
        if self._opening is not None and self._opening.robust_id is None:
            return self.end(ConnectionLost().ending, now)
        self.state = State.AWAY
        self._deadline = now + self._settings.grace
        return []

    # What R's side does

    @property
    def writable(self) -> bool:
        """Whether R may be read."""
        return self._out.bytes < self._settings.high_water

    @property
    def robust_id(self) -> str | None:
        """The id by which its client resumes."""
        return self._opening.robust_id if self._opening is not None else None

    @property
    def active(self) -> bool:
        """Whether the session has a client, here or on its way back."""
        return self.state in (State.CONNECTED, State.AWAY)

    @property
    def over(self) -> bool:
        """Whether the session has ended."""
        return self.state in (State.ENDED, State.FORGOTTEN)

    def send(self, channel: str, message: str, now: float) -> list[Event]:
        """A message from R."""
        if channel not in self.channels or self.over:
            return []
        try:
            if len(message) > self._settings.max_message:
                raise MessageTooBig(f"R sent a message of {len(message)} characters")
            if self._opening is not None and self._opening.sheen:
                *parts, last = split(message, self._settings.part_limit)
                for part in parts:
                    self._queue(f"{channel}|p|{part}", now)
            else:
                last = sockjs.escape(message)
            self._queue(f"{channel}|m|{last}", now)
        except RelayError as error:
            return self.end(error.ending, now, flush=False)
        return []

    def close_channel(self, channel: str, code: int, reason: str, now: float) -> list[Event]:
        """R closed a channel's socket. With its last channel the session ends."""
        if channel not in self.channels or self.over:
            return []
        self._drop_channel(channel)
        try:
            self._queue(sockjs.escape(multiplex.closing(channel, code, reason)), now)
        except RelayError as error:
            return self.end(error.ending, now, flush=False)
        if self.channels:
            return []
        return self.end(Ending(code, reason) if code >= 4000 else SessionClosed().ending, now)

    def consumed(self, size: int) -> None:
        """R has taken messages of this size: the client may send more."""
        self._unread -= size

    def renew(self, ticket: str, now: float) -> None:
        """A fresh ticket for the client."""
        self._ticket_at = now
        self._say_ticket = ticket

    def end(self, ending: Ending, now: float, *, flush: bool = True) -> list[Event]:
        """End the session. With ``flush`` the browser still gets what R said before."""
        if self.over:
            return []
        self.state = State.ENDED
        self.ending = ending
        self._deadline = now + self._settings.farewell
        if not flush:
            self._out.forget()
        self._strangers.clear()
        self._assemblies.clear()
        self.channels.clear()
        return [Ended(ending)]

    # What goes out

    def take(self, connection: str, max_bytes: int, now: float) -> str | None:
        """The next SockJS frame for a connection, at most ``max_bytes`` long; None when there is nothing to say."""
        refusal = self._refusals.pop(connection)
        if refusal is not None:
            return refusal
        if connection != self.connection or self._parted:
            return None
        frame = self._next_frame(min(max_bytes, self._settings.frame_limit), now)
        if frame is not None:
            self._spoke = now
        return frame

    def tick(self, now: float) -> list[Event]:
        """What is due by time: the ends of reservation, grace and farewell, and renewals."""
        if now >= self._deadline:
            if self.state is State.RESERVED or self.state is State.AWAY:
                return self.end(ConnectionLost().ending, now)
            if self.state is State.ENDED:
                self.state = State.FORGOTTEN
        if self.state is State.CONNECTED and self._is_sheen:
            if now - self._ticket_at >= self._settings.ticket_renewal:
                self._ticket_at = now
                return [TicketDue()]
            gap = self._in.gap_since
            if gap is not None and now - max(gap, self._asked_at) >= self._settings.resend_after:
                self._asked_at = now
                self._say_continue = True
        return []

    def due(self, now: float) -> bool:
        """Whether :meth:`take` has something for the current connection besides what R said."""
        if self.connection is None or self._parted:
            return False
        controls = not self._greeted or self._say_continue or self._say_pong or self._say_ticket is not None
        return controls or self._ack_due(now) or self._heartbeat_due(now) or self.over

    # Inside: in

    @property
    def _is_sheen(self) -> bool:
        return self._opening is not None and self._opening.sheen

    def _attach(self, connection: str, opening: Opening, now: float, events: list[Event]) -> None:
        if connection in self._gone:
            return
        if self._opening is None:
            if opening.resume or self.over:
                self._refuse(connection, self.ending or UnknownSession().ending)
                return
            self._opening = opening
        elif opening.robust_id != self._opening.robust_id or opening.robust_id is None:
            self._refuse(connection, SessionTaken().ending)
            return
        elif opening.sheen and (opening.attempt < self._attempt or connection == self.connection):
            # A late one, or a double. A SockJS client that falls back to its next transport makes the same attempt again.
            return
        elif opening.sheen:
            try:
                self._out.resume(opening.next)
            except ProtocolError as error:
                self._refuse(connection, error.ending)
                events.extend(self.end(error.ending, now, flush=False))
                return
        elif opening.resume:
            self._awaiting_continue = True
        else:
            # Its first connection never got to it (SockJS fell back to another transport): it starts from the beginning.
            try:
                self._out.resume(0)
            except ProtocolError:
                self._refuse(connection, SessionTaken().ending)
                return
            self._awaiting_continue = False
        if self.connection is not None:
            self._gone.add(self.connection, ours=True)
        self._attempt = opening.attempt
        self.connection = connection
        self._greeted = self._parted = False
        self._say_continue = opening.resume or opening.attempt > 1
        self._say_pong = False
        self._heard = self._progress = self._asked_at = now
        if not self.over:
            self.state = State.CONNECTED
            if opening.sheen and opening.resume:
                events.append(TicketDue())
        for frame in self._strangers.pop(connection):
            self._frame(connection, frame, now, events)

    def _frame(self, connection: str, frame: str, now: float, events: list[Event]) -> None:
        self._heard = now
        if hello.is_hello(frame):
            if not self._is_sheen:
                raise ProtocolError("a second introduction")
            self._attach(connection, hello.parse_hello(frame), now, events)
            return
        for text in sockjs.decode_client(frame):
            self._message(text, now, events)

    def _late(self, connection: str, frame: str, now: float, events: list[Event]) -> None:
        # A frame of an earlier connection, overtaken by a newer one: its numbered messages are as good as ever, but
        # what it asked for or acknowledged is out of date.
        if not self._gone.ours(connection) or self._opening is None or self._opening.robust_id is None:
            return
        for text in sockjs.decode_client(frame):
            if not text.startswith(hello.PREFIX) and isinstance(message := robust.parse(text), robust.Data):
                self._data(message, now, events)

    def _message(self, text: str, now: float, events: list[Event]) -> None:
        if self._opening is None or self._opening.robust_id is None:
            self._payload(text, now, events)
            return
        if self._is_sheen and text.startswith(hello.PREFIX):
            control = hello.parse_control(text)
            if isinstance(control, hello.Ping):
                self._ping(control, now)
            return
        match robust.parse(text):
            case robust.Data() as data:
                self._data(data, now, events)
            case robust.Ack(following):
                if self._out.acknowledge(following):
                    self._progress = now
            case robust.Continue(following):
                self._continue(following, now)

    def _data(self, data: robust.Data, now: float, events: list[Event]) -> None:
        for payload in self._in.receive(data, sockjs.size(data.payload) + _OVERHEAD, now):
            self._payload(payload, now, events)

    def _continue(self, following: int, now: float) -> None:
        if self._awaiting_continue or not self._is_sheen:
            self._awaiting_continue = False
            self._out.resume(following)
        elif following >= self._out.acknowledged:
            # Sheen's client misses something in mid-connection; a late one of these asks for what has arrived since.
            self._out.resume(following)
        self._progress = now

    def _ping(self, ping: hello.Ping, now: float) -> None:
        if self._out.acknowledge(ping.next):
            self._progress = now
        elif ping.next == self._out.acknowledged and now - self._progress > 2 * self._settings.resend_after:
            # Transmitted, and not there after all this time: lost without a later one to show the gap.
            self._out.resume(ping.next)
            self._progress = now
        self._say_pong = True

    def _payload(self, payload: str, now: float, events: list[Event]) -> None:
        if self.over:
            return
        match multiplex.parse(payload):
            case multiplex.Message(channel, text):
                self._to_r(channel, self._assembly(channel).last(text), events)
            case multiplex.Part(channel, text):
                if not self._is_sheen:
                    raise ProtocolError("a part of a message, which was not agreed on")
                self._assembly(channel).part(text)
            case multiplex.Open(channel, url):
                if channel in self.channels or len(self.channels) >= _MAX_CHANNELS:
                    raise ProtocolError(f"channel {channel} cannot be opened")
                self.channels.add(channel)
                self._assemblies[channel] = Assembly(self._settings.max_message)
                events.append(ChannelOpened(channel, url))
            case multiplex.Close(channel, code, reason):
                if channel in self.channels:
                    self._drop_channel(channel)
                    events.append(ChannelClosed(channel, code, reason))
                    if not self.channels:
                        events.extend(self.end(SessionClosed().ending, now))

    def _to_r(self, channel: str, text: str, events: list[Event]) -> None:
        if channel not in self.channels:
            return
        size = sockjs.size(text) + _OVERHEAD
        self._unread += size
        if self._unread > self._settings.buffer_limit:
            raise ProtocolError(f"{self._unread} bytes wait for R: the client sends without waiting for ACK")
        events.append(MessageReceived(channel, text, size))

    def _assembly(self, channel: str) -> Assembly:
        # A message may cross its channel's close on the way: it is put together and dropped.
        return self._assemblies.get(channel) or Assembly(self._settings.max_message)

    def _drop_channel(self, channel: str) -> None:
        self.channels.discard(channel)
        self._assemblies.pop(channel, None)

    # Inside: out

    def _queue(self, payload: str, now: float) -> None:
        if self._out.acknowledged == self._out.next:
            self._progress = now
        self._out.send(payload, sockjs.size(payload) + _OVERHEAD)

    def _next_frame(self, limit: int, now: float) -> str | None:
        if not self._greeted:
            self._greeted = True
            return sockjs.OPEN
        # While R does not read, a ping is answered without a number, which would let the client send more.
        alive = self._say_pong
        elements = self._controls()
        room = limit - 32 - sum(sockjs.size(element) + 3 for element in elements)
        numbered = self._opening is not None and self._opening.robust_id is not None
        while not self._awaiting_continue and (entry := self._out.peek()) is not None:
            element = f"{entry.number:X}#{entry.payload}" if numbered else entry.payload
            room -= entry.size - _OVERHEAD + len(element) - len(entry.payload) + 3
            if room < 0 and elements:
                break
            elements.append(element)
            self._out.advance()
            if not numbered:
                self._out.acknowledge(self._out.cursor)
        if numbered and (self._ack_due(now) or (elements and self._may_ack)):
            elements.append(f"ACK {self._in.acknowledging():X}")
        if elements:
            return sockjs.array(elements)
        if self.ending is not None:
            self._parted = True
            return sockjs.close(*self.ending)
        return sockjs.HEARTBEAT if alive or self._heartbeat_due(now) else None

    def _controls(self) -> list[str]:
        elements: list[str] = []
        if self._say_continue:
            elements.append(f"CONTINUE {self._in.acknowledging():X}")
        if self._say_pong and self._unread < self._settings.high_water:
            elements.append(sockjs.escape(hello.control(hello.Pong(self._in.next))))
        if self._say_ticket is not None:
            elements.append(sockjs.escape(hello.control(hello.Ticket(self._say_ticket))))
        self._say_continue = self._say_pong = False
        self._say_ticket = None
        return elements

    @property
    def _may_ack(self) -> bool:
        return self._in.unacknowledged_since is not None and self._unread < self._settings.high_water

    def _ack_due(self, now: float) -> bool:
        since = self._in.unacknowledged_since
        if since is None or not self._may_ack or self._opening is None or self._opening.robust_id is None:
            return False
        return (
            now - since >= self._settings.ack_delay
            or self._in.unacknowledged_bytes >= self._settings.ack_bytes
            or self._in.unacknowledged_count >= self._settings.ack_count
        )

    def _heartbeat_due(self, now: float) -> bool:
        return now - max(self._heard, self._spoke) >= self._settings.heartbeat

    # Inside: connections

    def _fail(self, connection: str, error: RelayError, now: float, events: list[Event]) -> None:
        # Only the session's own connections can spoil it.
        if connection == self.connection or self._gone.ours(connection):
            events.extend(self.end(error.ending, now, flush=False))
        else:
            self._refuse(connection, error.ending)

    def _refuse(self, connection: str, ending: Ending) -> None:
        self._strangers.pop(connection)
        self._refusals.add(connection, ending)
