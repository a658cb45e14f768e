"""Round trips of one peer for a while, and what they come to."""

import asyncio
import math
import random
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.peers import Counting
from benchmarks.sessions import Echo, Traffic

WARM_TRIPS, WARM_TURNS = 150, 10
"""At least so many round trips before the first reading, and so many of each session."""
PATIENCE = 60.0
"""A round trip that takes longer has failed (seconds)."""


@dataclass(frozen=True)
class Load:
    """So many sessions at once, each thinking so many seconds between an answer and its next
    input.
    """

    sessions: int
    think: float

    def __str__(self) -> str:
        pace = f"{self.think:g} s of think time" if self.think else "back to back"
        return f"{self.sessions} {'session' if self.sessions == 1 else 'sessions'}, {pace}"


@dataclass(frozen=True)
class Reading:
    """Round trips of one peer under one load in one round; times in milliseconds."""

    trips: Sequence[float]
    seconds: float
    traffic: Traffic
    counted: Mapping[str, int] = field(default_factory=dict)

    def percentile(self, share: float) -> float:
        return sorted(self.trips)[math.ceil(len(self.trips) * share) - 1]

    @property
    def per_second(self) -> float:
        return len(self.trips) / self.seconds

    @property
    def per_trip(self) -> dict[str, float]:
        """What one interaction cost."""
        of = len(self.trips)
        costs = {
            "bytes up": self.traffic.bytes_sent / of,
            "bytes down": self.traffic.bytes_received / of,
            "frames up": self.traffic.frames_sent / of,
            "frames down": self.traffic.frames_received / of,
        }
        return costs | {name: count / of for name, count in self.counted.items()}


async def measure(peer: Counting, echoes: Sequence[Echo], think: float, seconds: float) -> Reading:
    """Let each session say and hear again and again for ``seconds``."""
    traffic, counted = _traffic(echoes), await peer.counters()
    start = time.perf_counter()
    taken = await asyncio.gather(*(_turns(echo, start + seconds, think) for echo in echoes))
    spent = time.perf_counter() - start
    after = await peer.counters()
    counts = {name: after[name] - counted[name] for name in after}
    return Reading(
        [trip for trips in taken for trip in trips], spent, _traffic(echoes).since(traffic), counts
    )


async def warm(echoes: Sequence[Echo]) -> None:
    """Let R compile what it runs often, and each hop open its connections and learn of the
    sessions.
    """
    for turn in range(max(WARM_TURNS, math.ceil(WARM_TRIPS / len(echoes)))):
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(echo.say(f"warm {turn}") for echo in echoes))


async def _turns(echo: Echo, until: float, think: float) -> list[float]:
    taken: list[float] = []
    if think:
        await asyncio.sleep(random.uniform(0, think))  # else all would think in step
    while not taken or time.perf_counter() < until:
        async with asyncio.timeout(PATIENCE):
            start = time.perf_counter()
            await echo.say(f"turn {len(taken)} of {start}")
            taken.append((time.perf_counter() - start) * 1000)
        if think:
            await asyncio.sleep(think)
    return taken


def _traffic(echoes: Sequence[Echo]) -> Traffic:
    return sum((echo.traffic for echo in echoes), Traffic())


@dataclass
class Cell:
    """One peer under one load: medians over the rounds."""

    peer: str
    load: Load
    readings: list[Reading] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        return statistics.median(reading.percentile(share) for reading in self.readings)

    @property
    def per_second(self) -> float:
        return statistics.median(reading.per_second for reading in self.readings)

    @property
    def per_trip(self) -> dict[str, float]:
        costs = [reading.per_trip for reading in self.readings]
        return {name: statistics.median(cost[name] for cost in costs) for name in costs[0]}

    def p50_to(self, base: "Cell") -> float:
        """Ratio of the p50, round by round, so that drift of the machine falls out."""
        rounds = zip(self.readings, base.readings, strict=False)
        return statistics.median(
            mine.percentile(0.5) / other.percentile(0.5) for mine, other in rounds
        )

    def rate_to(self, base: "Cell") -> float:
        """Ratio of the round trips per second, round by round."""
        rounds = zip(self.readings, base.readings, strict=False)
        return statistics.median(mine.per_second / other.per_second for mine, other in rounds)
