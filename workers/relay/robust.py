"""Numbered messages (FACTS S6): each direction counts its messages from 0.

Numbers travel as upper-case hexadecimal. ``<HEX>#payload`` is a message. ``ACK <HEX>`` and
``CONTINUE <HEX>`` name the next id that the receiver expects. The two classes here serve both ends.
:class:`Outgoing` keeps what the peer has not acknowledged and can go back to any of it.
:class:`Incoming` puts what arrives into order and drops duplicates (FACTS W4).
"""

from __future__ import annotations

import re
from collections import deque
from typing import NamedTuple

from relay.errors import ProtocolError, ResendOverflow, TooMuch

_TEXT = re.compile(r"(?:([0-9A-F]{1,12})#|(ACK|CONTINUE) ([0-9A-F]{1,12})\Z)")
_NUMBER = re.compile(r"[0-9A-F]{1,12}\Z")


class Data(NamedTuple):
    """``<HEX>#payload``"""

    number: int
    payload: str


class Ack(NamedTuple):
    """``ACK <HEX>``: everything before ``next`` has arrived."""

    next: int


class Continue(NamedTuple):
    """``CONTINUE <HEX>``: send on from ``next``."""

    next: int


def hexadecimal(number: int) -> str:
    """Return a number as it travels."""
    return f"{number:X}"


def parse_number(text: object) -> int:
    """Parse a number as it travels.

    :raises ProtocolError: not upper-case hexadecimal of at most twelve digits.
    """
    if not isinstance(text, str) or not _NUMBER.match(text):
        raise ProtocolError(f"not a message number: {str(text)[:40]!r}")
    return int(text, 16)


def parse(text: str) -> Data | Ack | Continue:
    """Parse one message of the numbered layer.

    :raises ProtocolError: neither a numbered message nor ACK or CONTINUE.
    """
    match = _TEXT.match(text)
    if match is None:
        raise ProtocolError(f"not a numbered message: {text[:40]!r}")
    number, word, following = match.groups()
    if number is not None:
        return Data(int(number, 16), text[match.end() :])
    return Ack(int(following, 16)) if word == "ACK" else Continue(int(following, 16))


class PendingMessage(NamedTuple):
    """A message that waits to be sent or acknowledged; ``size`` is in bytes as it travels."""

    number: int
    payload: str
    size: int


class Outgoing:
    """What this end sends: unacknowledged messages, and how far they were transmitted."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: deque[PendingMessage] = deque()
        self.acknowledged = 0
        self.next = 0
        self.cursor = 0
        self.bytes = 0

    def send(self, payload: str, size: int) -> None:
        """Take a message.

        :raises ResendOverflow: more than the limit would be waiting.
        """
        if self.bytes + size > self._limit:
            raise ResendOverflow(
                f"{self.bytes + size} bytes wait for the peer; the limit is {self._limit}"
            )
        self._entries.append(PendingMessage(self.next, payload, size))
        self.next += 1
        self.bytes += size

    def peek(self) -> PendingMessage | None:
        """Return the next message to transmit, or None."""
        if self.cursor >= self.next:
            return None
        return self._entries[self.cursor - self.acknowledged]

    def advance(self) -> None:
        """Note that the message from :meth:`peek` has been transmitted."""
        self.cursor += 1

    def acknowledge(self, following: int) -> bool:
        """Note that the peer has everything before ``following``; return True if that is news.

        :raises ProtocolError: it names messages that were never sent.
        """
        if following > self.next:
            raise ProtocolError(
                f"the peer expects message {following:X}, but only {self.next:X} were sent"
            )
        if following <= self.acknowledged:
            return False
        while self.acknowledged < following:
            self.bytes -= self._entries.popleft().size
            self.acknowledged += 1
        self.cursor = max(self.cursor, self.acknowledged)
        return True

    def resume(self, following: int) -> None:
        """Transmit again from ``following``, which also acknowledges everything before it.

        :raises ProtocolError: it names messages that are no longer, or not yet, available.
        """
        if following < self.acknowledged:
            raise ProtocolError(
                f"the peer asks for message {following:X} after acknowledging {self.acknowledged:X}"
            )
        self.acknowledge(following)
        self.cursor = following

    def forget(self) -> None:
        """Drop what has not been transmitted; the session ends without it."""
        while self.next > max(self.cursor, self.acknowledged):
            self.bytes -= self._entries.pop().size
            self.next -= 1


class Incoming:
    """What this end receives: the next number expected, and messages that arrived early."""

    def __init__(self, limit_bytes: int, limit_count: int) -> None:
        self._limit_bytes = limit_bytes
        self._limit_count = limit_count
        self._early: dict[int, PendingMessage] = {}
        self.early_bytes = 0
        self.next = 0
        self.gap_since: float | None = None
        self.unacknowledged_since: float | None = None
        self.unacknowledged_bytes = 0
        self.unacknowledged_count = 0

    def receive(self, data: Data, size: int, now: float) -> list[str]:
        """Take a message, and return the payloads that are now in turn.

        :raises ProtocolError: it is too far ahead.
        :raises TooMuch: too much is waiting for a missing one.
        """
        if data.number < self.next or data.number in self._early:
            # A duplicate shows that the peer does not know of the arrival: acknowledge again.
            if self.unacknowledged_since is None:
                self.unacknowledged_since = now
            return []
        if data.number > self.next:
            self._keep(data, size, now)
            return []
        ready = [data.payload]
        self._count(size)
        while (entry := self._early.pop(self.next, None)) is not None:
            self.early_bytes -= entry.size
            ready.append(entry.payload)
            self._count(entry.size)
        self.gap_since = now if self._early else None
        if self.unacknowledged_since is None:
            self.unacknowledged_since = now
        return ready

    def acknowledging(self) -> int:
        """Return the number for an ACK that is about to be sent."""
        self.unacknowledged_since = None
        self.unacknowledged_bytes = self.unacknowledged_count = 0
        return self.next

    def _count(self, size: int) -> None:
        self.next += 1
        self.unacknowledged_bytes += size
        self.unacknowledged_count += 1

    def _keep(self, data: Data, size: int, now: float) -> None:
        if data.number >= self.next + self._limit_count:
            raise ProtocolError(f"message {data.number:X} is too far ahead of {self.next:X}")
        if self.early_bytes + size > self._limit_bytes:
            raise TooMuch(f"more than {self._limit_bytes} bytes wait for message {self.next:X}")
        self._early[data.number] = PendingMessage(data.number, data.payload, size)
        self.early_bytes += size
        if self.gap_since is None:
            self.gap_since = now
