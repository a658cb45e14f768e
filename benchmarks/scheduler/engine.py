"""Virtual time: many things that go on at once, each written as if it alone did, in one thread and
always in the same order.
"""

import heapq
from collections.abc import Callable
from typing import Any

import greenlet


class Engine:
    """Runs what was started until nothing is left to do, or until its end. Times are in seconds."""

    def __init__(self, start: float = 0.0) -> None:
        self.now = start
        self.switches = 0
        self._due: list[tuple[float, int, Any]] = []
        self._number = 0
        self._main = greenlet.getcurrent()

    def clock(self) -> float:
        """The time now, as the code under simulation asks for it."""
        return self.now

    def start(self, what: Callable[..., None], *arguments: Any, at: float | None = None) -> None:
        """Begin something, now or at a time."""
        self._schedule(
            self.now if at is None else at, greenlet.greenlet(lambda: what(*arguments), self._main)
        )

    def sleep(self, seconds: float) -> None:
        """Let time pass for whoever calls this, and others act meanwhile."""
        self._schedule(self.now + seconds, greenlet.getcurrent())
        self._main.switch()

    def run(self, until: float) -> None:
        """Go on until a time; what is then still going on stays as it is."""
        while self._due and self._due[0][0] <= until:
            self.now, _, one = heapq.heappop(self._due)
            self.switches += 1
            one.switch()
        self.now = until

    def _schedule(self, at: float, one: Any) -> None:
        self._number += 1
        heapq.heappush(self._due, (at, self._number, one))
