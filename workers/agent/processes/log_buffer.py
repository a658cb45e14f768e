"""The unsent part of a worker's log, within CloudWatch Logs' limits and bounded in memory.

No I/O. The limits are those of PutLogEvents: at most 10,000 events and 1 MiB in a batch, which
counts 26 bytes for each event besides its text; at most 256 KiB an event; events in the order of
their time; a batch within 24 hours.
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

EVENT_OVERHEAD = 26
BATCH_BYTES = 1_048_576
BATCH_EVENTS = 10_000
BATCH_SPAN_MS = 24 * 3600 * 1000
EVENT_BYTES = 256 * 1024 - EVENT_OVERHEAD
KEEP_BYTES = 2 * 1024 * 1024
"""Most bytes that wait to be sent, counted as batches are.

If there are more, the oldest lines are dropped, because the newest say how it ended.
"""


class Event(NamedTuple):
    """One line of the log."""

    at_ms: int
    """Milliseconds since the epoch."""
    text: str

    @property
    def size(self) -> int:
        """Bytes that the event counts for."""
        return len(self.text.encode()) + EVENT_OVERHEAD


class LogBuffer:
    """Collects lines, and returns them in batches.

    Where lines had to be dropped, a line in the log says how many.
    """

    def __init__(self, keep_bytes: int = KEEP_BYTES) -> None:
        self._keep_bytes = keep_bytes
        self._events: deque[Event] = deque()
        self._bytes = 0
        self._dropped = 0
        self._dropped_at_ms = 0
        self._last_ms = 0

    def __bool__(self) -> bool:
        return bool(self._events or self._dropped)

    @property
    def fills_a_batch(self) -> bool:
        """Whether the lines fill a batch, so that waiting for more would not save one."""
        return self._bytes >= BATCH_BYTES or len(self._events) >= BATCH_EVENTS

    @property
    def lines(self) -> int:
        """Number of waiting lines, and of dropped lines that the log does not mention yet."""
        return len(self._events) + self._dropped

    def add(self, at_ms: int, text: str) -> None:
        """Add a line, and cut it if it is longer than an event may be.

        Events stay in order even if the clock is set back.
        """
        self._last_ms = max(self._last_ms, at_ms)
        event = Event(self._last_ms, _cut(text))
        self._events.append(event)
        self._bytes += event.size
        while self._bytes > self._keep_bytes and len(self._events) > 1:
            self._drop_oldest()

    def take(self) -> Sequence[Event]:
        """Remove and return the oldest lines, as many as one batch holds."""
        batch: list[Event] = []
        size = 0
        if self._dropped:
            note = Event(
                self._dropped_at_ms,
                f"[sheen] {self._dropped} lines are missing here: more came than the log "
                "could take",
            )
            self._dropped = 0
            batch.append(note)
            size = note.size
        while self._events and len(batch) < BATCH_EVENTS:
            event = self._events[0]
            if size + event.size > BATCH_BYTES or (
                batch and event.at_ms - batch[0].at_ms >= BATCH_SPAN_MS
            ):
                break
            batch.append(self._events.popleft())
            size += event.size
            self._bytes -= event.size
        return batch

    def _drop_oldest(self) -> None:
        event = self._events.popleft()
        self._bytes -= event.size
        self._dropped += 1
        self._dropped_at_ms = event.at_ms


def _cut(text: str) -> str:
    encoded = text.encode()
    if len(encoded) <= EVENT_BYTES:
        return text or " "  # an event has at least one character
    return encoded[:EVENT_BYTES].decode(errors="ignore")
