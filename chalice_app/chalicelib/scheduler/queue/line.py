"""Order the visitors in a queue.

Pure: a line maps each place to the end of its lease (epoch seconds).
"""

import secrets
from collections.abc import Mapping
from typing import NamedTuple

LEASE = 75.0
"""Seconds that a place is kept after its page's last poll.

Browsers wake a hidden page once a minute.
"""
FIRST_LEASE = 30.0
"""Seconds that a place is kept for its page's first poll, due within :data:`LAST_POLL`."""
TURN = 20.0
"""Seconds that a page has to go in once it is told that it is its turn.

The others wait behind it.
"""
RENEW_AFTER = 15.0
"""Seconds for which a lease is not renewed, so that most polls write nothing."""
MARK = 60.0
"""Seconds for which an instance's row says that there is a queue.

Waiting visitors renew it at half.
"""
MOST = 500
"""Places in one queue. Further visitors are told to come back later."""
FIRST_POLL, LAST_POLL = 2.0, 10.0
"""Seconds between two polls: of the first visitor in line, and of those far from it."""


class Standing(NamedTuple):
    """A visitor's standing in the queue."""

    before: int
    """How many visitors come first."""
    waiting: int
    """How many visitors wait, without this one."""


def new_place(now: float, address: str = "") -> str:
    """Return a new place at the end of the line.

    ``address`` (:mod:`chalicelib.visits.address`) is where its visitor comes from.
    """
    place = f"{int(now * 1000):014d}-{secrets.token_hex(8)}"
    return f"{place}-{address}" if address else place


def of_address(line: Mapping[str, float], address: str, now: float) -> int:
    """Return how many places visitors from an address hold, or 0 if the address is unknown."""
    return sum(place.endswith(f"-{address}") for place in alive(line, now)) if address else 0


def alive(line: Mapping[str, float], now: float) -> list[str]:
    """Return the places whose lease has not ended, in line order."""
    return sorted(place for place, lease in line.items() if lease > now)


def standing(line: Mapping[str, float], place: str | None, now: float) -> Standing:
    """Return the standing of ``place``, or of the line's end if ``place`` is not in the line."""
    others = [other for other in alive(line, now) if other != place]
    before = (
        others
        if place is None or line.get(place, 0.0) <= now
        else [other for other in others if other < place]
    )
    return Standing(len(before), len(others))


def is_in(line: Mapping[str, float], place: str, now: float) -> bool:
    """Return whether the place's lease has not ended."""
    return line.get(place, 0.0) > now


def needs_renewal(lease: float, now: float) -> bool:
    """Return whether a poll has to renew the place's lease."""
    return lease - now < LEASE - RENEW_AFTER


def next_poll(before: int) -> float:
    """Return the seconds until the next poll of a page that has ``before`` visitors ahead of it."""
    return min(LAST_POLL, FIRST_POLL + before)
