"""What a session sends: messages, acknowledgements, controls and its end, as frames on demand."""

from __future__ import annotations

from relay import hello, robust, sockjs
from relay.channels import OVERHEAD
from relay.errors import Ending
from relay.settings import RelaySettings


class Outbox:
    """The session's outgoing side, from which the current connection pulls frames.

    Messages that have been sent are kept until the browser has acknowledged them. ``incoming`` is
    what this end acknowledges.
    """

    def __init__(self, settings: RelaySettings, incoming: robust.Incoming, now: float) -> None:
        self.numbered = True
        """Whether the client numbers its messages."""
        self.awaiting_continue = False
        """Whether a client that is not Sheen's own has yet to say where to go on."""
        self.parted = False
        """Whether this connection has been told how the session ended."""
        self.heard = now
        self.messages = robust.Outgoing(settings.buffer_limit)
        self._settings = settings
        self._in = incoming
        self._greeted = self._say_continue = self._say_pong = False
        self._say_ticket: str | None = None
        self._spoke = self._progress = now

    def begin(self, send_from: int | None, *, resumed: bool, now: float) -> None:
        """Start on a new connection: greet it and, if ``resumed``, tell it where to go on.

        Send again from ``send_from``; with None, nothing is sent until the client's CONTINUE.

        :raises ProtocolError: that message is no longer, or not yet, available.
        """
        self.awaiting_continue = send_from is None
        if send_from is not None:
            self.messages.resume(send_from)
        self._greeted = self.parted = self._say_pong = False
        self._say_continue = resumed
        self.heard = self._progress = now

    # What there is to send

    def queue(self, payload: str, now: float) -> None:
        """Take an escaped message.

        :raises ResendOverflow: too much is waiting.
        """
        if self.messages.acknowledged == self.messages.next:
            self._progress = now
        self.messages.send(payload, sockjs.size(payload) + OVERHEAD)

    def ask(self) -> None:
        """Ask the browser for missing messages."""
        self._say_continue = True

    def renew(self, ticket: str) -> None:
        """Send a fresh ticket."""
        self._say_ticket = ticket

    # What the browser says about what was sent

    def acknowledge(self, following: int, now: float) -> None:
        """Handle ``ACK``.

        :raises ProtocolError: it names messages that were never sent.
        """
        if self.messages.acknowledge(following):
            self._progress = now

    def go_on(self, following: int, now: float) -> None:
        """Handle ``CONTINUE``.

        :raises ProtocolError: it names messages that are no longer, or not yet, available.
        """
        # A late or repeated one asks for what has arrived since (FACTS W4).
        if self.awaiting_continue or following >= self.messages.acknowledged:
            self.awaiting_continue = False
            self.messages.resume(following)
        self._progress = now

    def pinged(self, following: int, now: float) -> None:
        """Handle a ping.

        :raises ProtocolError: it names messages that were never sent.
        """
        if self.messages.acknowledge(following):
            self._progress = now
        elif (
            following == self.messages.acknowledged
            and now - self._progress > 2 * self._settings.resend_after
        ):
            # The message was transmitted but has not arrived after all this time. It is lost, and
            # no later message has shown the gap.
            self.messages.resume(following)
            self._progress = now
        self._say_pong = True

    # Frames

    def due(self, now: float, *, reading: bool) -> bool:
        """Return whether :meth:`frame` has something to send besides R's messages."""
        controls = (
            not self._greeted
            or self._say_continue
            or self._say_pong
            or self._say_ticket is not None
        )
        return controls or self._ack_due(now, reading) or self._heartbeat_due(now)

    def frame(self, limit: int, now: float, *, reading: bool, ending: Ending | None) -> str | None:
        """Return the next frame, at most ``limit`` bytes long; None if there is nothing to send.

        ``reading`` says whether R keeps up. ``ending`` is sent after everything else.
        """
        frame = self._compose(limit, now, reading, ending)
        if frame is not None:
            self._spoke = now
        return frame

    def _compose(self, limit: int, now: float, reading: bool, ending: Ending | None) -> str | None:
        if not self._greeted:
            self._greeted = True
            return sockjs.OPEN
        # While R does not read, a ping is answered without a number; a number would let the client
        # send more.
        alive = self._say_pong
        elements = self._controls(reading)
        self._add_messages(
            elements, limit - 32 - sum(sockjs.size(element) + 3 for element in elements)
        )
        if self._ack_due(now, reading) or (elements and self._may_ack(reading)):
            elements.append(f"ACK {self._in.acknowledging():X}")
        if elements:
            return sockjs.array(elements)
        if ending is not None:
            self.parted = True
            return sockjs.close(*ending)
        return sockjs.HEARTBEAT if alive or self._heartbeat_due(now) else None

    def _add_messages(self, elements: list[str], room: int) -> None:
        while not self.awaiting_continue and (entry := self.messages.peek()) is not None:
            element = f"{entry.number:X}#{entry.payload}" if self.numbered else entry.payload
            room -= entry.size - OVERHEAD + len(element) - len(entry.payload) + 3
            if room < 0 and elements:
                return
            elements.append(element)
            self.messages.advance()
            if not self.numbered:
                self.messages.acknowledge(self.messages.cursor)

    def _controls(self, reading: bool) -> list[str]:
        elements: list[str] = []
        if self._say_continue:
            elements.append(f"CONTINUE {self._in.acknowledging():X}")
        if self._say_pong and reading:
            elements.append(sockjs.escape(hello.control(hello.Pong(self._in.next))))
        if self._say_ticket is not None:
            elements.append(sockjs.escape(hello.control(hello.FreshTicket(self._say_ticket))))
        self._say_continue = self._say_pong = False
        self._say_ticket = None
        return elements

    def _may_ack(self, reading: bool) -> bool:
        return self.numbered and reading and self._in.unacknowledged_since is not None

    def _ack_due(self, now: float, reading: bool) -> bool:
        since = self._in.unacknowledged_since
        if since is None or not self._may_ack(reading):
            return False
        return (
            now - since >= self._settings.ack_delay
            or self._in.unacknowledged_bytes >= self._settings.ack_bytes
            or self._in.unacknowledged_count >= self._settings.ack_count
        )

    def _heartbeat_due(self, now: float) -> bool:
        return now - max(self.heard, self._spoke) >= self._settings.heartbeat
