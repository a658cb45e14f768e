"""One client's polls: greeting, heartbeats, one receiver at a time, the close, the time out.

A SockJS client over HTTP is a row of receiving requests, each of which takes some frames and ends::

    refusal = polls.begin(now)            # a receiver comes; a refusal is all that it gets
    frame = polls.next(pull, now)         # its frames
    polls.finish(now)                     # it ended as it should, or
    polls.interrupt(now)                  # its connection broke
"""

from __future__ import annotations

from collections.abc import Callable

from relay import sockjs

ANOTHER = sockjs.close(2010, "Another connection still open")
INTERRUPTED = sockjs.close(1002, "Connection interrupted")
GO_AWAY = sockjs.close(3000, "Go away!")


class Polls:
    """``heartbeat_delay`` and ``disconnect_delay`` in seconds; ``now`` on any steady clock."""

    def __init__(self, heartbeat_delay: float, disconnect_delay: float, now: float) -> None:
        self.closing: str | None = None
        """What every further receiver gets."""
        self.receiving = False
        self._heartbeat_delay = heartbeat_delay
        self._disconnect_delay = disconnect_delay
        self._greeted = False
        self._spoke = now
        self._deadline: float | None = now + disconnect_delay

    def begin(self, now: float) -> str | None:
        """A receiver comes. What is given is all that it gets: it is not this client's receiver."""
        if self.closing is not None:
            return self.closing
        if self.receiving:
            return ANOTHER
        self.receiving = True
        self._deadline = None
        self._spoke = now
        return None

    def next(self, pull: Callable[[], str | None], now: float) -> str | None:
        """The receiver's next frame; None when there is nothing to say. ``pull`` gives what the application says."""
        if not self._greeted:
            self._greeted = True
            self._spoke = now
            return sockjs.OPEN
        frame = self.closing or pull()
        if frame is not None and frame.startswith("c"):
            self.close(frame, now)
        elif frame is None and self.heartbeat_in(now) <= 0:
            frame = sockjs.HEARTBEAT
        if frame is not None:
            self._spoke = now
        return frame

    def heartbeat_in(self, now: float) -> float:
        """Seconds until the receiver is to get a heartbeat."""
        return self._spoke + self._heartbeat_delay - now

    def finish(self, now: float) -> None:
        """The receiver has ended as it should."""
        self.receiving = False
        if self._deadline is None:
            self._deadline = now + self._disconnect_delay

    def interrupt(self, now: float) -> None:
        """The receiver's connection broke: what it was given may be lost, and no frame may be skipped."""
        self.close(INTERRUPTED, now)

    def close(self, frame: str, now: float) -> None:
        """The client is told this from now on, until the time out."""
        if self.closing is None:
            self.closing = frame
            self.finish(now)

    @property
    def deadline(self) -> float | None:
        """When the client is to be forgotten, unless it receives before."""
        return self._deadline
