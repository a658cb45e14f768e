"""Who comes when, to which app, and for how long: a day of visits. Pure; the same seed gives the
same day.
"""

import bisect
import itertools
import math
import random
from collections.abc import Sequence
from typing import NamedTuple

DAY = 24 * 3600.0
BURST_SIZE = 150
"""Visitors who come at once: a class begins, a link is shared."""
BURST_SECONDS = 90.0
NO_SOCKET = 0.03
"""Share of visitors who load the page and never open a socket: crawlers, closed tabs."""


class Visit(NamedTuple):
    """One visitor."""

    at: float
    app: int
    stays: float
    """Seconds of the session, once there is one; 0: the page's socket never comes."""
    patience: float
    """Seconds that the visitor waits for a start or a seat."""


class Traffic(NamedTuple):
    """What kind of day it is."""

    apps: int
    sessions: int
    popular: float = 1.0
    """How much more popular some apps are than others: the exponent of Zipf's law; 0: all are
    alike.
    """
    in_bursts: float = 0.2
    """Share of the visitors who come in bursts, each of :data:`BURST_SIZE` to one app."""
    seconds: float = DAY


def visits(traffic: Traffic, seed: int) -> list[Visit]:
    """Return a day's visits in their order: a Poisson process whose rate follows the day, quiet at
    night, and bursts.
    """
    chance, seconds = random.Random(seed), traffic.seconds
    popularity = list(
        itertools.accumulate(rank**-traffic.popular for rank in range(1, traffic.apps + 1))
    )
    bursts = round(traffic.sessions * traffic.in_bursts / BURST_SIZE)
    hours = _hours()
    found = []
    for _ in range(traffic.sessions - bursts * BURST_SIZE):
        found.append(_visit(chance, _moment(chance, hours, seconds), _which(chance, popularity)))
    for _ in range(bursts):
        begin, app = _moment(chance, hours, seconds), _which(chance, popularity)
        found += (
            _visit(chance, min(begin + chance.expovariate(3 / BURST_SECONDS), seconds), app)
            for _ in range(BURST_SIZE)
        )
    return sorted(found)


def _visit(chance: random.Random, at: float, app: int) -> Visit:
    stays = 0.0 if chance.random() < NO_SOCKET else 5 + chance.expovariate(1 / 600)
    return Visit(at, app, stays, chance.uniform(90, 600))


def _which(chance: random.Random, popularity: Sequence[float]) -> int:
    return bisect.bisect_left(popularity, chance.random() * popularity[-1])


def _hours() -> list[float]:
    """How much of the day's traffic has come by the end of each of its 24 parts."""
    weights = [1 + 0.9 * math.sin((part - 8) / 24 * 2 * math.pi) for part in range(24)]
    total = sum(weights)
    return [whole / total for whole in itertools.accumulate(weights)]


def _moment(chance: random.Random, hours: Sequence[float], seconds: float) -> float:
    part = min(bisect.bisect_left(hours, chance.random()), len(hours) - 1)
    return (part + chance.random()) * seconds / len(hours)
