"""How long a login lives. Pure.

It ends ``duration`` after its last use, and at ``ends_at`` at the latest. A use is written down
only if a quarter of the duration has passed since the last one, so a busy visitor costs few writes.
"""

from typing import NamedTuple

DURATION = 3600.0
"""Seconds after the last app was left."""
LONGEST = 7 * 86400.0
"""Seconds from signing in, however busy the visitor is; by then groups are read anew."""


class Life(NamedTuple):
    """When a login was last used, when it ends in any case, and how long it lasts unused."""

    used_at: float
    ends_at: float
    duration: float = DURATION

    def is_over(self, now: float) -> bool:
        """Return whether the login has ended."""
        return now >= min(self.used_at + self.duration, self.ends_at)

    def is_due(self, now: float) -> bool:
        """Return whether a use is to be written down now."""
        return not self.is_over(now) and now >= self.used_at + self.duration / 4


def new(now: float, duration: float = DURATION, longest: float = LONGEST) -> Life:
    """Return the life of a login that begins now."""
    return Life(now, now + longest, duration)
