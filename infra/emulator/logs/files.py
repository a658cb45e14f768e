"""Log streams as readable files, a line for each event.

A line is ``2026-11-20T16:50:43.123Z what was said``. The first line of a file names the stream: ``#
stream <name> <when it was made>``. Further lines of an event begin with a tab. Nothing else is kept
beside the files. Removing a file therefore removes its stream, and a restart finds the existing
streams.
"""

import heapq
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

_HEAD = re.compile(rb"# stream (\S+) (\d{4}-\d\d-\d\dT[\d:.]+Z)\n")
_EVENT = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (.*)", re.DOTALL)
_BLOCK_BYTES = 1 << 20
_FOREVER_MS = 1 << 62
FUTURE_MS = 2 * 3600 * 1000
"""How far an event's time may be after its writing, by the clock of its writer."""


class LogEvent(NamedTuple):
    """One event of a stream; sorts by its time, then by the order of writing."""

    at_ms: int
    event_id: str
    stream: str
    message: str


class EventBlock(NamedTuple):
    """A part of a file: whole events, and the times of the first and last."""

    offset: int
    size: int
    first_ms: int
    last_ms: int


@dataclass(eq=False)
class LogFile:
    """One stream."""

    stream: str
    path: Path
    created_ms: int
    written_ms: int
    """Time of the last write."""
    _blocks: list[EventBlock] | None = field(default=None, repr=False)
    """None if an earlier run wrote the file and nobody has asked for it yet."""

    @classmethod
    def create(cls, stream: str, path: Path, mode: int, now_ms: int) -> "LogFile":
        """Create the file, which must not exist."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(f"# stream {stream} {as_text(now_ms)}\n".encode())
        return cls(stream, path, now_ms, now_ms, [])

    @classmethod
    def find(cls, path: Path) -> "LogFile | None":
        """Read the stream's description in a file; return None if the file is not a stream's."""
        with path.open("rb") as file:
            head = _HEAD.fullmatch(file.readline(2048))
        if head is None:
            return None
        with path.open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            if file.read() != b"\n":  # a kill has cut off its last line
                file.write(b"\n")
        return cls(
            head[1].decode(), path, as_ms(head[2].decode()), int(path.stat().st_mtime * 1000) + 1
        )

    @property
    def blocks(self) -> list[EventBlock]:
        """The parts of the file, in the order of writing."""
        if self._blocks is None:
            try:
                with self.path.open("rb") as file:
                    file.readline()
                    self._blocks = list(_blocks_of(file.tell(), file))
            except FileNotFoundError:
                self._blocks = []  # somebody removed the file
        return self._blocks

    @property
    def first_ms(self) -> int | None:
        """The time of the first event."""
        return min((block.first_ms for block in self.blocks), default=None)

    @property
    def last_ms(self) -> int | None:
        """The time of the last event."""
        return max((block.last_ms for block in self.blocks), default=None)

    def append(self, events: Sequence[tuple[int, str]]) -> None:
        """Append events, as (milliseconds, text), in the order of their time."""
        if not events:
            return
        data = b"".join(_line(at_ms, text) for at_ms, text in events)
        with self.path.open("ab") as file:
            offset = file.tell()
            file.write(data)
        self.written_ms = max(self.written_ms, events[-1][0])
        if self._blocks is None:
            return
        last = self._blocks[-1] if self._blocks else None
        block = EventBlock(offset, len(data), events[0][0], events[-1][0])
        if (
            last is not None
            and last.offset + last.size == offset
            and last.size + block.size <= _BLOCK_BYTES
        ):
            self._blocks[-1] = _joined(last, block)
        else:
            self._blocks.append(block)

    def read(self, block: EventBlock) -> Iterator[LogEvent]:
        """Yield the events of one block."""
        try:
            with self.path.open("rb") as file:
                file.seek(block.offset)
                data = file.read(block.size)
        except FileNotFoundError:
            return  # somebody removed the file
        number = zlib.crc32(self.stream.encode())
        for offset, at_ms, text in _events_in(data):
            yield LogEvent(
                at_ms,
                f"{at_ms:020d}{number:012d}{block.offset + offset:024d}",
                self.stream,
                text.decode(errors="replace"),
            )


def events_between(
    files: Iterable[LogFile], start_ms: int = 0, end_ms: int = _FOREVER_MS
) -> Iterator[LogEvent]:
    """Yield the events of all files from ``start_ms`` to ``end_ms``, inclusive, by time.

    A block is read only when its turn comes, so that a caller that stops early reads little.
    """
    blocks = sorted(
        (
            (block.first_ms, index, block, file)
            for index, file in enumerate(files)
            if file.written_ms >= start_ms - FUTURE_MS
            for block in file.blocks
            if block.first_ms <= end_ms and block.last_ms >= start_ms
        ),
        key=lambda entry: entry[:2],
    )
    waiting: list[LogEvent] = []
    for first_ms, _, block, file in blocks:
        while waiting and waiting[0].at_ms < first_ms:
            yield heapq.heappop(waiting)
        for event in file.read(block):
            if start_ms <= event.at_ms <= end_ms:
                heapq.heappush(waiting, event)
    while waiting:
        yield heapq.heappop(waiting)


def as_text(at_ms: int) -> str:
    """Return a time in the format of the files."""
    return (
        datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
        + f"{at_ms % 1000:03d}Z"
    )


def as_ms(text: str) -> int:
    """Parse a time in the format of the files."""
    moment = datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def _line(at_ms: int, text: str) -> bytes:
    return f"{as_text(at_ms)} {text.replace(chr(10), chr(10) + chr(9))}\n".encode()


def _events_in(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (offset, milliseconds, text) of each event."""
    offset, at, parts = 0, 0, list[bytes]()
    begun = 0
    for line in data.split(b"\n"):
        if (found := _EVENT.fullmatch(line)) is not None:
            if parts:
                yield begun, at, b"\n".join(parts)
            begun, at, parts = offset, as_ms(found[1].decode()), [found[2]]
        elif parts and line.startswith(b"\t"):
            parts.append(line[1:])
        offset += len(line) + 1
    if parts:
        yield begun, at, b"\n".join(parts)


def _blocks_of(offset: int, file: Iterable[bytes]) -> Iterator[EventBlock]:
    """Yield the blocks of an earlier run's file, from its present position."""
    block: EventBlock | None = None
    for line in file:
        found = _EVENT.match(line[:32])
        if found is None and block is not None:
            block = block._replace(size=block.size + len(line))
        elif found is not None:
            at = as_ms(found[1].decode())
            piece = EventBlock(offset, len(line), at, at)
            if block is not None and block.size + piece.size > _BLOCK_BYTES:
                yield block
                block = piece
            else:
                block = piece if block is None else _joined(block, piece)
        offset += len(line)
    if block is not None:
        yield block


def _joined(first: EventBlock, second: EventBlock) -> EventBlock:
    return EventBlock(
        first.offset,
        first.size + second.size,
        min(first.first_ms, second.first_ms),
        max(first.last_ms, second.last_ms),
    )
