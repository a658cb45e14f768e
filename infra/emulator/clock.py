"""The stack's time, which passes as fast as the world's, or faster.

With a fast clock, a gateway that cuts a connection after ten minutes (FACTS W2) does so within a
second. The clock's speed can change while it runs. Every waiting timer is then set anew.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

SLOWEST, FASTEST = 0.001, 1_000_000.0


class Timer:
    """One call that waits for its time on a `Clock`."""

    __slots__ = ("_callback", "_clock", "_handle", "deadline")

    def __init__(self, clock: Clock, deadline: float, callback: Callable[[], None]) -> None:
        self._clock = clock
        self._callback = callback
        self._handle: asyncio.TimerHandle | None = None
        self.deadline = deadline

    def arm(self) -> None:
        """Start or restart the wait, for the time left at the clock's present speed."""
        if self._handle is not None:
            self._handle.cancel()
        wait = (self.deadline - self._clock.monotonic()) / self._clock.speed
        self._handle = asyncio.get_running_loop().call_later(max(wait, 0.0), self._fire)

    def cancel(self) -> None:
        """Never call back; this is harmless if it is too late."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._clock.forget(self)

    def _fire(self) -> None:
        if self._clock.monotonic() < self.deadline:  # the loop wakes a little early
            self.arm()
            return
        self._handle = None
        self._clock.forget(self)
        self._callback()


class Clock:
    """Monotonic and wall time that pass at `speed` times the world's pace.

    `source` and `wall` are the world's clocks, in seconds. Tests pass their own.
    """

    def __init__(
        self,
        speed: float = 1.0,
        *,
        source: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._source = source
        self._real = source()
        self._shown = self._real
        self._to_wall = wall() - self._shown
        self._timers: set[Timer] = set()
        self._speed = 1.0
        self.set_speed(speed)

    @property
    def speed(self) -> float:
        """Seconds of this clock per second of the world."""
        return self._speed

    def set_speed(self, speed: float) -> None:
        """Continue from the present moment at another pace; waiting timers follow.

        Raise ValueError if it is not a usable number.
        """
        if (
            isinstance(speed, bool)
            or not isinstance(speed, int | float)
            or not math.isfinite(speed)
        ):
            raise ValueError(f"clock speed {speed!r}: not a number")
        if not SLOWEST <= speed <= FASTEST:
            raise ValueError(
                f"clock speed {speed}: must be from {SLOWEST} to {FASTEST:.0f}; 1 is the "
                "world's own pace"
            )
        real = self._source()
        self._shown += (real - self._real) * self._speed
        self._real = real
        self._speed = float(speed)
        for timer in list(self._timers):
            timer.arm()

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment; never decreases."""
        return self._shown + (self._source() - self._real) * self._speed

    def time(self) -> float:
        """Seconds since 1970, which is ahead of the world's time once the clock has run fast."""
        return self.monotonic() + self._to_wall

    def call_at(self, deadline: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` when `monotonic()` reaches `deadline`."""
        timer = Timer(self, deadline, callback)
        self._timers.add(timer)
        timer.arm()
        return timer

    def forget(self, timer: Timer) -> None:
        """Drop a timer that is finished."""
        self._timers.discard(timer)

    async def sleep_until(self, deadline: float) -> None:
        """Return when `monotonic()` reaches `deadline`."""
        if deadline <= self.monotonic():
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not woken.done():
                woken.set_result(None)

        timer = self.call_at(deadline, wake)
        try:
            await woken
        finally:
            timer.cancel()

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds of this clock."""
        await self.sleep_until(self.monotonic() + seconds)
