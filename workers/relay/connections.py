"""The connections of a session other than its current one: unknown, refused, or gone."""

from __future__ import annotations

from collections import OrderedDict

from relay import sockjs
from relay.errors import Ending

_MAX_REMEMBERED = 64
_OVERHEAD = 64  # memory that a short frame takes besides its text


class Strangers:
    """Frames that arrive before their connection's hello (FACTS W4) and wait for it.

    If there are too many, the oldest connection's frames are dropped.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._frames: OrderedDict[str, list[str]] = OrderedDict()
        self.bytes = 0

    def add(self, connection: str, frame: str) -> None:
        """Keep a frame of a connection that has not said hello."""
        self.bytes += len(frame) + _OVERHEAD
        self._frames.setdefault(connection, []).append(frame)
        while self.bytes > self._limit or len(self._frames) > _MAX_REMEMBERED:
            self.pop(next(iter(self._frames)))

    def pop(self, connection: str) -> list[str]:
        """Return a connection's frames and forget them."""
        frames = self._frames.pop(connection, [])
        self.bytes -= sum(len(frame) + _OVERHEAD for frame in frames)
        return frames

    def clear(self) -> None:
        """Forget all frames."""
        self._frames.clear()
        self.bytes = 0


class Refusals:
    """The one frame that each refused connection still gets."""

    def __init__(self) -> None:
        self._frames: OrderedDict[str, str] = OrderedDict()

    def add(self, connection: str, ending: Ending) -> None:
        """Note why a connection was refused, so that it can be told."""
        self._frames[connection] = sockjs.close(*ending)
        while len(self._frames) > _MAX_REMEMBERED:
            self._frames.popitem(last=False)

    def pop(self, connection: str) -> str | None:
        """Return the frame that tells a connection of its refusal; None the next time."""
        return self._frames.pop(connection, None)


class EndedConnections:
    """Connections that ended or were replaced; frames of theirs may still arrive (FACTS W4)."""

    def __init__(self) -> None:
        self._ours: OrderedDict[str, bool] = OrderedDict()

    def add(self, connection: str, *, ours: bool = False) -> None:
        """Remember a connection; ``ours`` if it was this session's."""
        self._ours[connection] = ours or self.ours(connection)
        while len(self._ours) > _MAX_REMEMBERED:
            self._ours.popitem(last=False)

    def ours(self, connection: str) -> bool:
        """Return whether a connection was this session's earlier."""
        return self._ours.get(connection, False)

    def __contains__(self, connection: str) -> bool:
        return connection in self._ours
