"""Starts: from the first request to the first output of Shiny's own 01_hello, beside Shiny Server
in one run; and memory per worker.

Each reading is of an app that has no R process at that moment. Rounds go A B A B, so that drift of
the machine hits all alike (FACTS R).
"""

import argparse
import asyncio
import json
import logging
import os
import platform
import statistics
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import memory
from benchmarks.first_output import of_sheen, of_shiny_server
from benchmarks.shiny_server import ShinyServer, shiny_server
from tests.support.debian import Unavailable
from tests.support.stack import SHINY_EXAMPLES, TREE, StackProcess, free_port

APP, OUTPUT = SHINY_EXAMPLES / "01_hello", "distPlot"
RESULTS = TREE / ".build" / "benchmarks" / "start.json"
PATIENCE = 120.0
PREPARED_AT_ONCE = 4
"""Apps of the crowd that are published and started at once."""
SHINY = "shiny-server"
WARM, COLD, SPARE = "Sheen, instance ready", "Sheen, from nothing", "Sheen, bound to a spare"
CROWD_SHINY, CROWD = "shiny-server, all at once", "Sheen, instances ready, all at once"
CROWD_COLD = "Sheen, the same, Lambda environments cold"


@dataclass
class Readings:
    """Seconds, round by round, by what was measured."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, seconds: float) -> None:
        self.seconds.setdefault(name, []).append(seconds)
        print(f"  {name:<40}{seconds:>8.2f} s", flush=True)

    def median(self, name: str) -> float | None:
        return statistics.median(self.seconds[name]) if name in self.seconds else None

    def ratio(self, name: str, base: str) -> float | None:
        """The median over the rounds of the ratio within a round."""
        pairs = list(zip(self.seconds.get(name, []), self.seconds.get(base, []), strict=False))
        return statistics.median(one / other for one, other in pairs) if pairs else None


@dataclass(frozen=True)
class Goal:
    """What is wanted, as a share of what a peer takes."""

    name: str
    base: str
    limit: float

    def judge(self, readings: Readings) -> str | None:
        ratio = readings.ratio(self.name, self.base)
        if ratio is None:
            return None
        return (
            f"{'met   ' if ratio <= self.limit else 'missed'}  {self.name}: {ratio:.2f} x "
            f"{self.base} (at most {self.limit:.2f})"
        )


GOALS = (
    Goal(WARM, SHINY, 1 / 3),
    Goal(SPARE, SHINY, 1 / 2),
    Goal(COLD, SHINY, 2),
    Goal(CROWD, CROWD_SHINY, 1 / 5),
)
FURTHER = 2 / 3
"""Wanted of a further worker's memory, as a share of a fresh R's."""


def parser() -> argparse.ArgumentParser:
    """The options of ``python -m benchmarks start``."""
    options = argparse.ArgumentParser(prog="python -m benchmarks start", description=__doc__)
    options.add_argument("--rounds", type=int, default=5, help="of each reading (5)")
    options.add_argument("--crowd", type=int, default=20, help="apps that start at once (20)")
    options.add_argument(
        "--workers",
        type=_numbers,
        default=[1, 10, 20],
        metavar="N,…",
        help="workers whose memory is measured (1,10,20)",
    )
    options.add_argument("--only", choices=("time", "memory"), help="one of the two parts")
    options.add_argument(
        "--json", type=Path, default=RESULTS, metavar="PATH", help="where results go"
    )
    return options


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


async def run(arguments: Sequence[str]) -> None:
    """Measure, and print what of the wanted was met."""
    options = parser().parse_args(arguments)
    logging.getLogger("agent").setLevel(logging.WARNING)
    readings = Readings()
    sizes: Mapping[str, Mapping[int, float]] = {}
    if options.only != "memory":
        await times(readings, options)
    if options.only != "time":
        sizes = await memory.measure(APP, OUTPUT, options.workers)
    report(readings, sizes, options.json)


async def times(readings: Readings, options: argparse.Namespace) -> None:
    """Every start, in turn."""
    names = [
        f"app-{number}" for number in range(3 * options.rounds + options.rounds * options.crowd)
    ]
    fresh = iter(names)
    async with AsyncExitStack() as stack:
        peer = await _peer(stack, names)

        async def shiny(name: str) -> None:
            if peer is not None:
                readings.add(name, await of_shiny_server(f"{peer.url}{next(fresh)}/", OUTPUT))

        async with sheen() as running:
            warm = await asyncio.to_thread(running.publish, APP, "/warm", app_idle_timeout=1)
            await of_sheen(warm, OUTPUT)
            for number in range(options.rounds):
                await shiny(SHINY)
                await _asleep(running, "/warm")
                readings.add(WARM, await of_sheen(warm, OUTPUT))
                cold = await asyncio.to_thread(
                    running.publish, APP, f"/cold-{number}", app_idle_timeout=1
                )
                readings.add(COLD, await of_sheen(cold, OUTPUT))
            await _crowd(readings, running, peer, fresh, options)
        async with sheen(spares="large=1") as running:
            # The pool is filled when something starts.
            await of_sheen(await asyncio.to_thread(running.publish, APP, "/first"), OUTPUT)
            for number in range(options.rounds):
                url = await asyncio.to_thread(
                    running.publish, APP, f"/spare-{number}", app_idle_timeout=1
                )
                await _until(lambda: _has_spare(running), "a spare")
                readings.add(SPARE, await of_sheen(url, OUTPUT))


async def _peer(stack: AsyncExitStack, names: Sequence[str]) -> ShinyServer | None:
    try:
        return await stack.enter_async_context(shiny_server(APP, names, idle=1))
    except Unavailable as error:
        print(f"left out: shiny-server: {error}")
        return None


@asynccontextmanager
async def sheen(spares: str = "") -> AsyncIterator[StackProcess]:
    """A local stack."""
    with tempfile.TemporaryDirectory() as scratch:
        stack = StackProcess(Path(scratch) / "data", free_port(), spares=spares)
        try:
            await asyncio.to_thread(stack.start)
            yield stack
        finally:
            await asyncio.to_thread(stack.stop)


async def _crowd(
    readings: Readings,
    running: StackProcess,
    peer: ShinyServer | None,
    fresh: Iterator[str],
    options: argparse.Namespace,
) -> None:
    """Many apps whose first visitors come in the same moment; at first to Lambda environments that
    have to start as well.
    """
    if not options.crowd:
        return
    paths = [f"/crowd-{number}" for number in range(options.crowd)]
    few = asyncio.Semaphore(PREPARED_AT_ONCE)

    async def prepare(path: str) -> str:
        async with few:
            url = await asyncio.to_thread(running.publish, APP, path, app_idle_timeout=1)
            await of_sheen(url, OUTPUT)
            return url

    urls = await asyncio.gather(*map(prepare, paths))
    for name in (CROWD_COLD, *[CROWD] * options.rounds):
        for path in paths:
            await _asleep(running, path)
        if peer is not None and name == CROWD:
            readings.add(
                CROWD_SHINY,
                await _all(of_shiny_server, [f"{peer.url}{next(fresh)}/" for _ in paths]),
            )
        readings.add(name, await _all(of_sheen, urls))


async def _all(visit: Callable[[str, str], Awaitable[float]], urls: Sequence[str]) -> float:
    """Until the last has its output."""
    return max(await asyncio.gather(*(visit(url, OUTPUT) for url in urls)))


async def _asleep(running: StackProcess, location: str) -> None:
    """Until the instance is there and no R process is."""

    def asleep() -> bool:
        row = running.instance_of(location)
        return row is not None and row["state"] == "READY" and not row.get("worker")

    await _until(asleep, f"{location} to have no R process")


def _has_spare(running: StackProcess) -> bool:
    return any(
        row["version_id"].startswith("spare.")
        and row["state"] == "READY"
        and not row.get("bound_to")
        for row in running.instances()
    )


async def _until(condition: Callable[[], bool], what: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110
            await asyncio.sleep(0.2)  # a row, which nobody announces


def report(readings: Readings, sizes: Mapping[str, Mapping[int, float]], path: Path) -> None:
    """Print medians, memory and verdicts, and write everything to ``path``."""
    print("\nmedian seconds")
    for name in readings.seconds:
        print(f"  {name:<40}{readings.median(name):>8.2f}")
    verdicts = [verdict for goal in GOALS if (verdict := goal.judge(readings))]
    if sizes:
        print("\nPSS in MB, all workers together / per worker")
        for how, by_count in sizes.items():
            print(
                f"  {how:<10}"
                + "".join(
                    f"{count:>4}: {total:>6.0f} / {total / count:<5.0f}"
                    for count, total in by_count.items()
                )
            )
        ratio = _further(sizes["forked"]) / _further(sizes["fresh"])
        verdicts.append(
            f"{'met   ' if ratio <= FURTHER else 'missed'}  a further worker's memory: "
            f"{ratio:.2f} x a fresh R (at most {FURTHER:.2f})"
        )
    print("\nwanted")
    for verdict in verdicts or ["not measured"]:
        print(f"  {verdict}")
    machine = {
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps(
            {"machine": machine, "seconds": readings.seconds, "pss_mb": sizes, "goals": verdicts},
            indent=1,
        )
    )
    print(f"\nall of it: {path}")


def _further(by_count: Mapping[int, float]) -> float:
    """What one more worker takes, in MB."""
    least, most = min(by_count), max(by_count)
    return by_count[most] if least == most else (by_count[most] - by_count[least]) / (most - least)
