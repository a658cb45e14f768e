"""One visitor's session: what its changing connections carry between a page and R.

The agent's thin edge feeds it and obeys it::

    events = session.receive(connection, frame, now)     # from the browser: what to tell R
    session.send(channel, message, now)                  # from R
    frame = session.take(connection, limit, now)         # the next frame to post; one at a time
    events = session.tick(now)                           # a few times a second

Output is pulled, so nothing is lost between a failed post and the next connection. While
:attr:`Session.writable` is False the edge does not read from R, so a slow browser slows R down and
memory stays bounded.
"""

from __future__ import annotations

from typing import assert_never

from relay import hello, multiplex, robust, sockjs
from relay.channels import OVERHEAD, Channels
from relay.chunks import split
from relay.connections import EndedConnections, Refusals, Strangers
from relay.errors import (
    ConnectionLost,
    Ending,
    MessageTooBig,
    ProtocolError,
    RelayError,
    SessionClosed,
    TooMuch,
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
from relay.judgement import ConnectionRefused, Ignored, SessionFacts, Taken, TooLate, judge
from relay.outbox import Outbox
from relay.rate import Allowance
from relay.settings import RelaySettings
from relay.silence import Silence


class Session:
    """One session's state, without any I/O; ``now`` is in seconds on any steady clock."""

    def __init__(self, session_id: str, settings: RelaySettings, now: float) -> None:
        self.id = session_id
        self.state = State.RESERVED
        self.connection: str | None = None
        self.ending: Ending | None = None
        self._settings = settings
        self._deadline = now + settings.reservation
        self._opening: Opening | None = None
        self._attempt = 0
        self._polls = False
        self._in = robust.Incoming(settings.reorder_bytes, settings.reorder_count)
        self._out = Outbox(settings, self._in, now)
        self._channels = Channels(settings)
        self._silence = Silence(settings, now)
        self._allowance = Allowance(settings.frame_rate, settings.frame_burst, now)
        self._ticket_at = self._asked_at = now
        self._strangers = Strangers(settings.reorder_bytes)
        self._refusals = Refusals()
        self._gone = EndedConnections()

    # What the browser's side does

    def receive(self, connection: str, frame: str, now: float) -> list[Event]:
        """Handle a frame from a connection; frames may be reordered or repeated (FACTS W4)."""
        events: list[Event] = []
        try:
            if not self._allowance.take(now):
                raise TooMuch(f"more than {self._settings.frame_rate:g} frames a second")
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
        """Handle a connection that introduces itself by its URL instead of a hello (SockJS)."""
        events: list[Event] = []
        try:
            self._attach(connection, opening, now, events)
            self._polls = self._polls or self.connection == connection
        except RelayError as error:
            self._fail(connection, error, now, events)
        return events

    def detach(self, connection: str, now: float) -> list[Event]:
        """Note that a connection is gone; its frames may still arrive (FACTS W4)."""
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
        """Whether the edge may read from R."""
        return self._out.messages.bytes < self._settings.high_water

    @property
    def waiting_out(self) -> int:
        """Bytes that wait for the browser."""
        return self._out.messages.bytes

    @property
    def waiting(self) -> int:
        """Bytes that wait here, in either direction, for any reason."""
        return (
            self.waiting_out + self._channels.bytes + self._in.early_bytes + self._strangers.bytes
        )

    @property
    def robust_id(self) -> str | None:
        """The id by which the client resumes."""
        return self._opening.robust_id if self._opening is not None else None

    @property
    def cookies(self) -> bool:
        """Whether the client's browser keeps cookies for the page, as far as is known."""
        return self._opening is None or self._opening.cookies

    @property
    def active(self) -> bool:
        """Whether the session has a client that is connected or may come back."""
        return self.state in (State.CONNECTED, State.AWAY)

    @property
    def over(self) -> bool:
        """Whether the session has ended."""
        return self.state in (State.ENDED, State.FORGOTTEN)

    def send(self, channel: str, message: str, now: float) -> list[Event]:
        """Handle a message from R."""
        if channel not in self._channels.open or self.over:
            return []
        self._silence.of_r_broken(now)
        try:
            if len(message) > self._settings.max_message:
                raise MessageTooBig(f"R sent a message of {len(message)} characters")
            if self._opening is not None and self._opening.sheen:
                *parts, last = split(message, self._settings.part_limit)
                for part in parts:
                    self._out.queue(f"{channel}|p|{part}", now)
            else:
                last = sockjs.escape(message)
            self._out.queue(f"{channel}|m|{last}", now)
        except RelayError as error:
            return self.end(error.ending, now, flush=False)
        return []

    def close_channel(self, channel: str, code: int, reason: str, now: float) -> list[Event]:
        """Note that R closed a channel's socket; the session ends with its last channel."""
        if channel not in self._channels.open or self.over:
            return []
        self._channels.drop(channel)
        try:
            self._out.queue(sockjs.escape(multiplex.closing(channel, code, reason)), now)
        except RelayError as error:
            return self.end(error.ending, now, flush=False)
        if self._channels.open:
            return []
        return self.end(Ending(code, reason) if code >= 4000 else SessionClosed().ending, now)

    def consumed(self, size: int) -> None:
        """Note that R has taken messages of this size, so the client may send more."""
        self._channels.consumed(size)

    def renew(self, ticket: str, now: float) -> None:
        """Send the client a fresh ticket."""
        self._ticket_at = now
        self._out.renew(ticket)

    def end(self, ending: Ending, now: float, *, flush: bool = True) -> list[Event]:
        """End the session; with ``flush`` the browser still gets what R said before."""
        if self.over:
            return []
        self.state = State.ENDED
        self.ending = ending
        self._deadline = now + self._settings.farewell
        if not flush:
            self._out.messages.forget()
        self._strangers.clear()
        self._channels.clear()
        return [Ended(ending)]

    # What goes out

    def take(self, connection: str, max_bytes: int, now: float) -> str | None:
        """Return the next SockJS frame for a connection; None if there is nothing to send.

        The frame is at most ``max_bytes`` long.
        """
        refusal = self._refusals.pop(connection)
        if refusal is not None:
            return refusal
        if connection != self.connection or self._out.parted:
            return None
        limit = min(max_bytes, self._settings.frame_limit)
        return self._out.frame(limit, now, reading=self._channels.reading, ending=self.ending)

    def tick(self, now: float) -> list[Event]:
        """Do what is due by time.

        That is the end of the reservation, grace and farewell times, the end of a silent session or
        connection, requests for missing messages, and the renewal of tickets.
        """
        if now >= self._deadline:
            if self.state is State.RESERVED or self.state is State.AWAY:
                return self.end(ConnectionLost().ending, now)
            if self.state is State.ENDED:
                self.state = State.FORGOTTEN
        if self.active and (silence := self._silence.too_long(now)) is not None:
            return self.end(silence.ending, now)
        if self.state is State.CONNECTED and self._is_sheen:
            patience = self._settings.connection_timeout
            if (
                patience
                and not self._polls
                and self.connection is not None
                and now - self._out.heard >= patience
            ):
                silent = ConnectionSilent(self.connection)
                return [silent, *self.detach(self.connection, now)]
            if now - self._ticket_at >= self._settings.ticket_renewal:
                self._ticket_at = now
                return [TicketDue()]
            gap = self._in.gap_since
            if gap is not None and now - max(gap, self._asked_at) >= self._settings.resend_after:
                self._asked_at = now
                self._out.ask()
        return []

    def due(self, now: float) -> bool:
        """Return whether :meth:`take` has something for the connection besides R's messages."""
        if self.connection is None or self._out.parted:
            return False
        return self.over or self._out.due(now, reading=self._channels.reading)

    # Inside: what comes in

    @property
    def _is_sheen(self) -> bool:
        return self._opening is not None and self._opening.sheen

    def _attach(self, connection: str, opening: Opening, now: float, events: list[Event]) -> None:
        judgement = judge(opening, self._seen(connection))
        match judgement:
            case Ignored():
                pass
            case TooLate():
                self._strangers.pop(connection)
                self._gone.add(connection, ours=True)
            case ConnectionRefused(ending, ends_session):
                self._refuse(connection, ending)
                if ends_session:
                    events.extend(self.end(ending, now, flush=False))
            case Taken(send_from):
                self._carry_by(connection, opening, send_from, now)
                if not self.over and opening.sheen and opening.resume:
                    events.append(TicketDue())
                for frame in self._strangers.pop(connection):
                    self._frame(connection, frame, now, events)
            case _:
                assert_never(judgement)

    def _seen(self, connection: str) -> SessionFacts:
        return SessionFacts(
            is_current=connection == self.connection,
            is_gone=connection in self._gone,
            first=self._opening,
            attempt=self._attempt,
            ending=self.ending,
            acknowledged=self._out.messages.acknowledged,
            following=self._out.messages.next,
        )

    def _carry_by(
        self, connection: str, opening: Opening, send_from: int | None, now: float
    ) -> None:
        """Let this connection carry the session in place of the current one."""
        if self.connection is not None:
            self._gone.add(self.connection, ours=True)
        self._opening = self._opening or opening
        self._attempt = opening.attempt
        self.connection = connection
        self._polls = False
        self._asked_at = now
        self._out.numbered = opening.robust_id is not None
        self._out.begin(send_from, resumed=opening.resume or opening.attempt > 1, now=now)
        if not self.over:
            self.state = State.CONNECTED

    def _frame(self, connection: str, frame: str, now: float, events: list[Event]) -> None:
        self._out.heard = now
        if hello.is_hello(frame):
            if not self._is_sheen:
                raise ProtocolError("a second introduction")
            self._attach(connection, hello.parse_hello(frame), now, events)
            return
        for text in sockjs.decode_client(frame):
            self._message(text, now, events)

    def _late(self, connection: str, frame: str, now: float, events: list[Event]) -> None:
        # A frame of an earlier connection, overtaken by a newer one. Its numbered messages are
        # still valid, but its requests and acknowledgements are out of date.
        if (
            not self._gone.ours(connection)
            or self._opening is None
            or self._opening.robust_id is None
        ):
            return
        for text in sockjs.decode_client(frame):
            if not text.startswith(hello.PREFIX) and isinstance(
                message := robust.parse(text), robust.Data
            ):
                self._data(message, now, events)

    def _message(self, text: str, now: float, events: list[Event]) -> None:
        if self._opening is None or self._opening.robust_id is None:
            self._payload(text, now, events)
            return
        if self._is_sheen and text.startswith(hello.PREFIX):
            control = hello.parse_control(text)
            if isinstance(control, hello.Ping):
                self._out.pinged(control.next, now)
            return
        match robust.parse(text):
            case robust.Data() as data:
                self._data(data, now, events)
            case robust.Ack(following):
                self._out.acknowledge(following, now)
            case robust.Continue(following):
                self._out.go_on(following, now)

    def _data(self, data: robust.Data, now: float, events: list[Event]) -> None:
        for payload in self._in.receive(data, sockjs.size(data.payload) + OVERHEAD, now):
            self._payload(payload, now, events)
        if self._is_sheen and self._in.unacknowledged_bytes > self._settings.unacknowledged_limit:
            raise TooMuch(
                f"{self._in.unacknowledged_bytes} bytes since the last ACK: the client "
                "does not wait for it"
            )

    def _payload(self, payload: str, now: float, events: list[Event]) -> None:
        if self.over:
            return
        event = self._channels.read(payload, parts=self._is_sheen)
        if event is None:
            return
        events.append(event)
        if isinstance(event, MessageReceived):
            self._silence.of_visitor_broken(now)
        if isinstance(event, ChannelOpened):
            self._silence.of_visitor_broken(now)
            self._silence.of_r_broken(now)
        if isinstance(event, ChannelClosed) and not self._channels.open:
            events.extend(self.end(SessionClosed().ending, now))

    # Inside: connections

    def _fail(self, connection: str, error: RelayError, now: float, events: list[Event]) -> None:
        # Only the session's own connections can end it by an error.
        if connection == self.connection or self._gone.ours(connection):
            events.extend(self.end(error.ending, now, flush=False))
        else:
            self._refuse(connection, error.ending)

    def _refuse(self, connection: str, ending: Ending) -> None:
        self._strangers.pop(connection)
        self._refusals.add(connection, ending)
