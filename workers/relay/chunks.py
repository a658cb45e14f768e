"""A message that does not fit a frame travels in parts.

All parts but the last are ``<chan>|p|…``; the last is ``<chan>|m|…``. Parts are numbered like any
message, so a lost connection costs one part and not the whole message. Only Sheen's own client
understands them.
"""

from __future__ import annotations

from relay.errors import MessageTooBig
from relay.sockjs import escape, size

# Memory that a part takes besides its text, so that many tiny parts cannot evade the limit.
_OVERHEAD = 64


def split(text: str, limit: int) -> list[str]:
    """Return ``text``, escaped for SockJS, in pieces.

    Each piece has at most ``limit`` bytes as it travels; ``limit`` is at least 12.
    """
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
        """Add a part; more follows.

        :raises MessageTooBig: the message would be larger than the limit.
        """
        self._add(text)

    def last(self, text: str) -> str:
        """Return the message that ``text`` completes.

        :raises MessageTooBig: the message would be larger than the limit.
        """
        if not self._parts:
            # There is nothing to join: the common case stays one comparison.
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
