"""The scheduler over a simulated day: waits, instance hours, DynamoDB calls and conflicts, and how
they grow with apps and sessions.
"""

import argparse
import asyncio
import json
import multiprocessing
import signal
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.scheduler.day import SETTINGS, Day, Outcome
from benchmarks.scheduler.traffic import Traffic
from chalicelib.configuration.app_settings import AppSettings
from tests.support.stack import TREE

RESULTS = TREE / ".build" / "benchmarks" / "scheduler.json"
LEAST = 1000
"""Sessions that a row of the tables has at least: days of fewer are simulated several times."""
EACH = 10
"""Sessions of an app, where the number of apps grows."""
MORE_APPS = 1.1
"""Calls for a session may differ by so much between few apps and many."""
MOST_CONFLICTS = 0.1
"""Conditions that may fail, for each session of one app."""


@dataclass(frozen=True)
class Case:
    """One row of a table."""

    series: str
    traffic: Traffic
    max_instances: int = SETTINGS.max_instances

    @property
    def settings(self) -> AppSettings:
        """How each app is set."""
        return replace(SETTINGS, max_instances=self.max_instances)


def cases(most: int) -> list[Case]:
    """Return what is simulated, with at most so many sessions a day."""
    sizes = [size for size in (1, 10, 100, 1000, 10_000) if size * EACH <= most]
    found = [
        *(Case("apps", Traffic(apps, apps * EACH, popular=0, in_bursts=0)) for apps in sizes),
        *(
            Case("sessions", Traffic(1, sessions))
            for sessions in (100, 1000, 10_000, 30_000)
            if sessions <= most
        ),
        *(Case("full", Traffic(1, min(most, 3_000)), instances) for instances in (1, 2, 4)),
        *(
            Case("mixed", Traffic(apps, sessions))
            for apps, sessions in ((100, 30_000), (10_000, 100_000))
            if sessions <= most
        ),
    ]
    return sorted(found, key=lambda case: case.traffic.sessions)


def simulate(case: Case, seed: int) -> dict[str, Any]:
    """Simulate a case, for as many days as make :data:`LEAST` sessions, and return its row."""
    begun = time.perf_counter()
    days = max(1, LEAST // case.traffic.sessions)
    return row(
        case,
        [Day(case.traffic, seed + day, case.settings).run() for day in range(days)],
        time.perf_counter() - begun,
    )


def row(case: Case, outcomes: Sequence[Outcome], took: float) -> dict[str, Any]:
    """Put together what several days of a case came to."""
    arrived = sum(outcome.arrived for outcome in outcomes)
    waits = sorted(wait for outcome in outcomes for wait in outcome.waits)
    calls = sum((outcome.bill.calls for outcome in outcomes), Counter[str]())
    conflicts = sum((outcome.bill.conflicts for outcome in outcomes), Counter[str]())
    seat_seconds = (
        sum(outcome.instance_seconds for outcome in outcomes) * SETTINGS.worker_limits.seats
    )

    def each(total: float) -> float:
        return total / arrived

    return {
        "series": case.series,
        "apps": case.traffic.apps,
        "sessions": case.traffic.sessions,
        "most instances": case.max_instances,
        "days": len(outcomes),
        "at once": each(sum(outcome.warm for outcome in outcomes)),
        "wait p50": _percentile(waits, 0.5),
        "wait p95": _percentile(waits, 0.95),
        "wait p99": _percentile(waits, 0.99),
        "turned away": each(sum(outcome.turned_away for outcome in outcomes)),
        "left": each(sum(outcome.left for outcome in outcomes)),
        "instance hours": sum(outcome.instance_seconds for outcome in outcomes)
        / 3600
        / len(outcomes),
        "instance minutes": each(sum(outcome.instance_seconds for outcome in outcomes) / 60),
        "seats used": sum(outcome.session_seconds for outcome in outcomes) / seat_seconds,
        "R processes": each(sum(outcome.workers for outcome in outcomes)),
        "requests": each(sum(outcome.invocations for outcome in outcomes)),
        "calls": each(calls.total()),
        "read units": each(sum(outcome.bill.read_units for outcome in outcomes)),
        "write units": each(sum(outcome.bill.write_units for outcome in outcomes)),
        "conflicts": each(conflicts.total()),
        "by call": {name: each(count) for name, count in calls.most_common()},
        "by conflict": {name: each(count) for name, count in conflicts.most_common()},
        "seconds to simulate": took,
    }


def judged(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return a line for each thing that is wanted."""
    growing = [row for row in rows if row["series"] == "apps"]
    alone = [row for row in rows if row["series"] == "sessions"]
    lines = []
    if len(growing) > 1:
        first, last = growing[0], growing[-1]
        apps = f"{last['apps']:,} apps ÷ {first['apps']:,}"
        for what in ("calls", "write units", "read units", "instance minutes"):
            ratio = last[what] / first[what]
            lines.append(
                f"{_met(ratio <= MORE_APPS)}  {what} for a session, {apps}: {ratio:.2f} "
                f"(at most {MORE_APPS})"
            )
    if alone:
        worst = max(row["conflicts"] for row in alone)
        lines.append(
            f"{_met(worst <= MOST_CONFLICTS)}  conflicts for a session of one app: "
            f"{worst:.3f} (at most {MOST_CONFLICTS})"
        )
        fewer = alone[-1]["calls"] / alone[0]["calls"]
        sizes = f"{alone[-1]['sessions']:,} sessions ÷ {alone[0]['sessions']:,}"
        lines.append(f"{_met(fewer <= 1)}  calls for a session, {sizes}: {fewer:.2f} (at most 1)")
    return lines


async def run(options: Sequence[str]) -> None:
    """Simulate every case, and print the tables and what was wanted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks scheduler", description=__doc__)
    parser.add_argument(
        "--sessions", type=int, default=100_000, help="of a day at most; default: 100000"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--processes", type=int, default=2, help="that simulate at once; default: 2"
    )
    asked = parser.parse_args(options)
    loop = asyncio.get_running_loop()
    rows = []
    pool = ProcessPoolExecutor(asked.processes, initializer=_end_with_the_parent)
    waiting = [
        loop.run_in_executor(pool, simulate, case, asked.seed) for case in cases(asked.sessions)
    ]
    try:
        for found in asyncio.as_completed(waiting):
            rows.append(await found)
            print(
                (
                    f"{_line(rows[-1])} {rows[-1]['series']}, "
                    f"{rows[-1]['seconds to simulate']:.0f} s to simulate"
                ),
                flush=True,
            )
    except asyncio.CancelledError:
        for (
            process
        ) in multiprocessing.active_children():  # they would simulate to the end of their day
            process.terminate()
        await asyncio.gather(*waiting, return_exceptions=True)
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    rows.sort(key=lambda row: (row["series"], row["sessions"], row["apps"], row["most instances"]))
    for series, title in TITLES.items():
        print(f"\n{title}\n")
        print(table([row for row in rows if row["series"] == series]))
    print("\nwanted:\n" + "\n".join(judged(rows)))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(rows, indent=1))


TITLES = {
    "apps": f"More apps, {EACH} sessions each, none in bursts",
    "sessions": "More sessions of one app, a fifth in bursts",
    "full": "One app that may have few instances: visitors queue",
    "mixed": "As many sessions over few and many apps, some popular, a fifth in bursts",
}
_COLUMNS = (
    ("apps", "{:,}"),
    ("sessions", "{:,}"),
    ("most instances", "{}"),
    ("at once", "{:.0%}"),
    ("wait p50", "{:.1f} s"),
    ("wait p95", "{:.1f} s"),
    ("wait p99", "{:.1f} s"),
    ("turned away", "{:.2%}"),
    ("left", "{:.2%}"),
    ("instance hours", "{:,.0f}"),
    ("seats used", "{:.0%}"),
    ("requests", "{:.1f}"),
    ("calls", "{:.1f}"),
    ("read units", "{:.1f}"),
    ("write units", "{:.1f}"),
    ("conflicts", "{:.4f}"),
)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows as a table of Markdown."""
    lines = ["| " + " | ".join(name for name, _ in _COLUMNS) + " |", "|---" * len(_COLUMNS) + "|"]
    return "\n".join((*lines, *map(_line, rows)))


def _line(row: dict[str, Any]) -> str:
    return "| " + " | ".join(form.format(row[name]) for name, form in _COLUMNS) + " |"


def _end_with_the_parent() -> None:
    """What the parent does at these signals is not for its children: uvloop's handlers came along
    with the fork.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def _percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _met(good: bool) -> str:
    return "met   " if good else "missed"
