"""Who comes before whom in a queue. Pure: a line is place → when its lease ends (epoch seconds)."""

import secrets
from collections.abc import Mapping
from typing import NamedTuple

LEASE = 75.0
"""Seconds that a place is kept after its page's last sign of life: browsers wake a hidden page once a minute."""
FIRST_LEASE = 30.0
"""Seconds that a place is kept before its page's first sign of life, which comes within :data:`LAST_POLL`."""
TURN = 20.0
"""Seconds in which a page goes in once it was told that it is its turn: others wait behind it."""
RENEW_AFTER = 15.0
"""A lease younger than this is not renewed: most polls write nothing."""
MARK = 60.0
"""Seconds for which an instance's row says that there is a queue; renewed at half of it by whoever waits."""
MOST = 500
"""Places in one queue; who comes after that is told to come back later."""
FIRST_POLL, LAST_POLL = 2.0, 10.0
"""Seconds between two polls of the first in line, and of those who are far from it."""


class Standing(NamedTuple):
    """Where a visitor stands."""

    before: int
    """How many come first."""
    waiting: int
    """How many wait, the visitor not counted."""


def new_place(now: float, address: str = "") -> str:
    """Return a place at the end of the line; ``address`` (:mod:`chalicelib.visits.address`) is where its visitor comes from."""
    place = f"{int(now * 1000):014d}-{secrets.token_hex(8)}"
    return f"{place}-{address}" if address else place


def of_address(line: Mapping[str, float], address: str, now: float) -> int:
    """Return how many places the visitors from one address keep; none for one that is not known."""
    return sum(place.endswith(f"-{address}") for place in alive(line, now)) if address else 0


def alive(line: Mapping[str, float], now: float) -> list[str]:
    """Return the places whose lease has not ended, in their order."""
    return sorted(place for place, lease in line.items() if lease > now)


def standing(line: Mapping[str, float], place: str | None, now: float) -> Standing:
    """Return where ``place`` stands; at the end, when it is none, or is not (any more) in the line."""
    others = [other for other in alive(line, now) if other != place]
    before = others if place is None or line.get(place, 0.0) <= now else [other for other in others if other < place]
    return Standing(len(before), len(others))


def is_in(line: Mapping[str, float], place: str, now: float) -> bool:
    """Whether the place is kept."""
    return line.get(place, 0.0) > now


def needs_renewal(lease: float, now: float) -> bool:
    """Whether a poll has to write the place's lease anew."""
    return lease - now < LEASE - RENEW_AFTER


def next_poll(before: int) -> float:
    """Return after how many seconds a page asks again before which so many come."""
    return min(LAST_POLL, FIRST_POLL + before)
