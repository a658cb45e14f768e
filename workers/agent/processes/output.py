"""R's output: lines for the log, the phases of its start, and the end for a failure page.

No I/O.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

KEEP = 64 * 1024
"""Bytes of the newest output that are kept."""
LONGEST_LINE = 16 * 1024
"""A longer line is logged in parts of this many bytes."""

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_UNSEEN = re.compile("[\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
"""Characters that reverse a line's direction, end it for some readers, or have no width.

They would show a reader another text than there is.
"""
OWN_MARK = "[sheen]"
"""Start of those lines in a worker's log that are Sheen's own."""


class Line(NamedTuple):
    """One line of the log, without its end."""

    text: str


class PhaseReport(NamedTuple):
    """R has reached a phase of its start: ``app`` or ``ready`` (see r/start.R)."""

    name: str


class Pace:
    """A token bucket of ``size`` that fills by ``rate`` a second."""

    def __init__(self, size: float, rate: float, now: float) -> None:
        self._size = size
        self._rate = rate
        self._left = size
        self._at = now

    def take(self, now: float) -> float:
        """Take one token; return the seconds to wait before the next."""
        self._left = min(self._size, self._left + (now - self._at) * self._rate) - 1
        self._at = now
        return max(0.0, -self._left / self._rate)


def clean(text: str) -> str:
    """Return ``text`` without terminal colours and control characters.

    Invisible characters become escapes.

    >>> clean("\\x1b[31mred\\x1b[0m \\u202egnol")
    'red \\\\u202egnol'
    """
    plain = _CONTROLS.sub("", _ESCAPES.sub("", text))
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", plain)


def of_the_app(text: str) -> str:
    """Return a line of the app, cleaned, as it goes into its log.

    A line that looks like one of Sheen's own gets a mark.

    >>> of_the_app("Listening"), of_the_app("[sheen] R ended")
    ('Listening', '| [sheen] R ended')
    """
    seen = "".join(
        filter(str.isprintable, unicodedata.normalize("NFKC", text[: 4 * len(OWN_MARK)]))
    ).replace("\u034f", "")
    return f"| {text}" if seen.lstrip().casefold().startswith(OWN_MARK) else text


class Output:
    """Takes R's stdout and stderr, which are one stream, as the bytes arrive.

    A line ``<mark> <phase>`` is a :class:`PhaseReport` and does not count as output. :data:`KEEP`
    and :data:`LONGEST_LINE` bound the memory.
    """

    def __init__(self, mark: str) -> None:
        self._mark = f"{mark} ".encode()
        self._rest = b""
        self._kept = bytearray()

    def feed(self, data: bytes) -> Iterator[Line | PhaseReport]:
        """Take some bytes; yield the lines and phases that they complete.

        Empty lines are not logged.
        """
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = b""
        for line in lines:
            yield from self._line(line, b"\n")
        while len(rest) >= LONGEST_LINE:
            yield from self._line(rest[:LONGEST_LINE], b"")
            rest = rest[LONGEST_LINE:]
        self._rest = rest

    def end(self) -> Iterator[Line | PhaseReport]:
        """End the stream: yield what is left without an end of line."""
        rest, self._rest = self._rest, b""
        if rest:
            yield from self._line(rest, b"\n")

    def text(self) -> str:
        """Return the newest output, cleaned; if some was lost, it starts with a whole line."""
        kept = bytes(self._kept) + self._rest
        if len(self._kept) >= KEEP:
            kept = kept.partition(b"\n")[2] or kept
        return clean(kept.decode(errors="replace")).strip()

    def _line(self, line: bytes, end: bytes) -> Iterator[Line | PhaseReport]:
        if line.startswith(self._mark):
            yield PhaseReport(line[len(self._mark) :].decode(errors="replace").strip())
            return
        self._kept += line + end
        if len(self._kept) > KEEP:
            del self._kept[: len(self._kept) - KEEP]
        for start in range(0, len(line), LONGEST_LINE):
            if text := clean(line[start : start + LONGEST_LINE].decode(errors="replace")).rstrip():
                yield Line(text)
