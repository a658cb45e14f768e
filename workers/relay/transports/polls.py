"""One client's polls: greeting, heartbeats, one receiver at a time, the close, the timeout.

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
    """The state of one client's polls.

    ``heartbeat_delay`` and ``disconnect_delay`` are in seconds, ``now`` is on any steady clock.
    """

    def __init__(self, heartbeat_delay: float, disconnect_delay: float, now: float) -> None:
        self.closing: str | None = None
        """The frame that every further receiver gets."""
        self.receiving = False
        self._heartbeat_delay = heartbeat_delay
        self._disconnect_delay = disconnect_delay
        self._greeted = False
        self._spoke = now
        self._deadline: float | None = now + disconnect_delay

    def begin(self, now: float) -> str | None:
        """Begin a receiver, and return None if it becomes this client's receiver.

        Otherwise return the one frame that it gets.
        """
        if self.closing is not None:
            return self.closing
        if self.receiving:
            return ANOTHER
        self.receiving = True
        self._deadline = None
        self._spoke = now
        return None

    def next(self, pull: Callable[[], str | None], now: float) -> str | None:
        """Return the receiver's next frame; None if there is nothing to send.

        ``pull`` returns the application's next frame.
        """
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
        """Return the seconds until the receiver's next heartbeat is due."""
        return self._spoke + self._heartbeat_delay - now

    def finish(self, now: float) -> None:
        """Note that the receiver has ended as it should."""
        self.receiving = False
        if self._deadline is None:
            self._deadline = now + self._disconnect_delay

    def interrupt(self, now: float) -> None:
        """Note that the receiver's connection broke, and close the client.

        What it was given may be lost, and no frame may be skipped.
        """
        self.close(INTERRUPTED, now)

    def close(self, frame: str, now: float) -> None:
        """Give the client this frame from now on, until the timeout."""
        if self.closing is None:
            self.closing = frame
            self.finish(now)

    @property
    def deadline(self) -> float | None:
        """When the client is forgotten unless it receives before; None while it has a receiver."""
        return self._deadline
