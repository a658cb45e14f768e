"""The connections of a session other than its current one: not introduced yet, refused, or gone."""

from __future__ import annotations

from collections import OrderedDict

from relay import sockjs
from relay.errors import Ending

_MAX_REMEMBERED = 64
_OVERHEAD = 64  # what a short frame costs in memory besides its text


class Strangers:
    """Frames that overtook their connection's hello (FACTS W4) wait here for it; the oldest connection gives way."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._frames: OrderedDict[str, list[str]] = OrderedDict()
        self.bytes = 0

    def add(self, connection: str, frame: str) -> None:
        """Keep a frame."""
        self.bytes += len(frame) + _OVERHEAD
        self._frames.setdefault(connection, []).append(frame)
        while self.bytes > self._limit or len(self._frames) > _MAX_REMEMBERED:
            self.pop(next(iter(self._frames)))

    def pop(self, connection: str) -> list[str]:
        """A connection's frames, which are forgotten with this."""
        frames = self._frames.pop(connection, [])
        self.bytes -= sum(len(frame) + _OVERHEAD for frame in frames)
        return frames

    def clear(self) -> None:
        """Forget all."""
        self._frames.clear()
        self.bytes = 0


class Refusals:
    """The one frame that each refused connection still gets."""

    def __init__(self) -> None:
        self._frames: OrderedDict[str, str] = OrderedDict()

    def add(self, connection: str, ending: Ending) -> None:
        """Tell a connection why it was refused."""
        self._frames[connection] = sockjs.close(*ending)
        while len(self._frames) > _MAX_REMEMBERED:
            self._frames.popitem(last=False)

    def pop(self, connection: str) -> str | None:
        """What a connection is to be told, once."""
        return self._frames.pop(connection, None)


class Gone:
    """Connections that ended or were replaced; frames of theirs may still come (FACTS W4)."""

    def __init__(self) -> None:
        self._ours: OrderedDict[str, bool] = OrderedDict()

    def add(self, connection: str, *, ours: bool = False) -> None:
        """Remember a connection; ``ours`` if it was this session's."""
        self._ours[connection] = ours or self.ours(connection)
        while len(self._ours) > _MAX_REMEMBERED:
            self._ours.popitem(last=False)

    def ours(self, connection: str) -> bool:
        """Whether a connection was this session's, before."""
        return self._ours.get(connection, False)

    def __contains__(self, connection: str) -> bool:
        return connection in self._ours
