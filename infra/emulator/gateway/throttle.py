"""Rates as API Gateway counts them, by a token bucket."""

from __future__ import annotations


class TokenBucket:
    """Lets `rate` events a second pass, and up to `burst` at once.

    Time is an argument, in seconds.
    """

    __slots__ = ("_burst", "_level", "_rate", "_then")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._then: float | None = None

    def take(self, now: float) -> bool:
        """Return whether one more event may pass now, and count it."""
        if self._then is not None and now > self._then:
            self._level = min(self._burst, self._level + (now - self._then) * self._rate)
        self._then = now
        if self._level < 1:
            return False
        self._level -= 1
        return True
