"""How fast a browser may send."""

from __future__ import annotations


class Allowance:
    """``rate`` frames a second, and up to ``burst`` at once."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = self._left = burst
        self._then = now

    def take(self, now: float) -> bool:
        """Return whether one more frame is within the allowance, and count it."""
        self._left = min(self._burst, self._left + max(0.0, now - self._then) * self._rate)
        self._then = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
