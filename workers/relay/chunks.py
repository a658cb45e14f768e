"""A message that does not fit a frame travels in parts: ``<chan>|p|…`` for all but the last, which is ``<chan>|m|…``.

Parts are numbered like any message, so that a lost connection costs a part and not the whole. Only Sheen's own client
understands them.
"""

from __future__ import annotations

from relay.errors import MessageTooBig
from relay.sockjs import escape, size

_OVERHEAD = 64  # what a part costs in memory besides its text: tiny parts must not slip under the limit


def split(text: str, limit: int) -> list[str]:
    """``text`` escaped for SockJS, in pieces of at most ``limit`` bytes each as they travel (``limit`` ≥ 12)."""
    escaped = escape(text)
    if size(escaped) <= limit:
        return [escaped]
    pieces: list[str] = []
    start, step = 0, limit
    while start < len(text):
        while True:
            piece = escape(text[start : start + step])
            length = size(piece)
            if length <= limit:
                break
            step = max(1, step * limit // length)
        pieces.append(piece)
        start += step
        step = min(limit, step + step // 8 + 1)
    return pieces


class Assembly:
    """Puts one channel's parts together again."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[str] = []
        self.bytes = 0

    def part(self, text: str) -> None:
        """A part; more follows.

        :raises MessageTooBig: the message would be larger than the limit.
        """
        self._add(text)

    def last(self, text: str) -> str:
        """The message that ``text`` completes.

        :raises MessageTooBig: the message would be larger than the limit.
        """
        if not self._parts:
            # Nothing to join: the common case stays one comparison.
            if len(text) > self._limit or size(text) > self._limit:
                raise MessageTooBig(f"a message of {size(text)} bytes; the limit is {self._limit}")
            return text
        self._add(text)
        message = "".join(self._parts)
        self._parts.clear()
        self.bytes = 0
        return message

    def _add(self, text: str) -> None:
        self.bytes += size(text) + _OVERHEAD
        if self.bytes > self._limit:
            raise MessageTooBig(f"a message of more than {self._limit} bytes")
        self._parts.append(text)
