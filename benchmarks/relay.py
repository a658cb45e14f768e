"""The relay: round trips of an echo app through each peer, side by side in one run.

Every peer runs all the time; the rounds go A B C A B C …, so that drift of the machine hits all
alike (FACTS R).
"""

import argparse
import asyncio
import json
import os
import platform
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aiohttp import ClientError
from websockets.exceptions import WebSocketException

from benchmarks.measure import PATIENCE, Cell, Load, measure, warm
from benchmarks.peers import Peer, echo_app, r_alone, sheen
from benchmarks.profile import profile
from benchmarks.sessions import Echo
from benchmarks.shiny_server import shiny_server
from tests.support.debian import Unavailable
from tests.support.stack import TREE

FAILURES = (AssertionError, OSError, TimeoutError, ClientError, WebSocketException)
"""What ends a peer's part in the run, not the run."""
UNIX, SHINY, SHEEN = "R alone, unix socket", "shiny-server, WebSocket", "Sheen, WebSocket"


@dataclass(frozen=True)
class Server:
    """What is started once, and the peers that it is, by their names on the command line."""

    start: Callable[[Path], AbstractAsyncContextManager[Any]]
    peers: Mapping[str, Callable[[Any], Peer]]


SERVERS = (
    Server(lambda folder: r_alone(folder, unix=True), {"unix": lambda r: r}),
    Server(lambda folder: r_alone(folder, unix=False), {"tcp": lambda r: r}),
    Server(
        shiny_server,
        {"shiny-server": lambda it: it, "shiny-server-xhr": lambda it: replace(it, polling=True)},
    ),
    Server(sheen, {"sheen": lambda it: it, "sheen-xhr": lambda it: replace(it, polling=True)}),
)
PEERS = [name for server in SERVERS for name in server.peers]
RESULTS = TREE / ".build" / "benchmarks" / "relay.json"


@dataclass(frozen=True)
class Goal:
    """What is wanted of Sheen over WebSocket under one load, of its p50 or of its rate, as a ratio
    to another peer.
    """

    load: Load
    base: str
    limit: float
    of_rate: bool = False

    def judge(self, cells: dict[tuple[Load, str], Cell]) -> str | None:
        """One line, or None when it was not measured."""
        mine, base = cells.get((self.load, SHEEN)), cells.get((self.load, self.base))
        if mine is None or base is None:
            return None
        ratio = mine.rate_to(base) if self.of_rate else mine.p50_to(base)
        met = ratio >= self.limit if self.of_rate else ratio <= self.limit
        what = f"round trips/s {ratio:.2f} x {self.base} (at least {self.limit:g})"
        if not self.of_rate:
            what = f"p50 {ratio:.2f} x {self.base} (at most {self.limit:g})"
        return f"{'met   ' if met else 'missed'}  {self.load}: {what}"


GOALS = (
    Goal(Load(1, 0), UNIX, 3),
    Goal(Load(1, 0), SHINY, 0.2),
    *(Goal(Load(sessions, 1), SHINY, 1) for sessions in (1, 10, 50)),
    Goal(Load(50, 0), UNIX, 0.9, of_rate=True),
)


def parser() -> argparse.ArgumentParser:
    """The options of ``python -m benchmarks relay``."""
    options = argparse.ArgumentParser(prog="python -m benchmarks relay", description=__doc__)
    options.add_argument(
        "--sessions",
        type=_numbers,
        default=[1, 10, 50],
        metavar="N,…",
        help="sessions at once (1,10,50)",
    )
    options.add_argument(
        "--think", type=_seconds, default=[0, 1], metavar="S,…", help="seconds of think time (0,1)"
    )
    options.add_argument("--rounds", type=int, default=5, help="rounds through all peers (5)")
    options.add_argument(
        "--seconds",
        type=float,
        default=4,
        help="of one reading back to back, and twice that with 1 s of think time (4)",
    )
    options.add_argument(
        "--peers",
        type=_peers,
        default=list(PEERS),
        metavar="NAME,…",
        help=f"of {', '.join(PEERS)} (all)",
    )
    options.add_argument(
        "--json", type=Path, default=RESULTS, metavar="PATH", help="where results go"
    )
    options.add_argument(
        "--profile",
        action="store_true",
        help="instead: say where a round trip's time goes in Sheen's stack",
    )
    return options


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _seconds(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _peers(text: str) -> list[str]:
    for name in (names := text.split(",")):
        if name not in PEERS:
            raise argparse.ArgumentTypeError(f"no peer {name!r}; there are: {', '.join(PEERS)}")
    return names


async def run(arguments: Sequence[str]) -> None:
    """Measure the peers and print a table, ratios, and what of the wanted was met."""
    options = parser().parse_args(arguments)
    if options.profile:
        await profile(options.seconds, options.rounds, options.sessions)
        return
    async with peers(options.peers) as running:
        cells = await rounds(running, options)
    report(cells, options.json)


@asynccontextmanager
async def peers(names: Sequence[str]) -> AsyncIterator[list[Peer]]:
    """Start what is named; what cannot be had is left out, and a line says why."""
    async with AsyncExitStack() as stack:
        folder = await stack.enter_async_context(echo_app())
        running: list[Peer] = []
        for server in SERVERS:
            wanted = [name for name in server.peers if name in names]
            if not wanted:
                continue
            try:
                started = await stack.enter_async_context(server.start(folder))
            except (Unavailable, *FAILURES) as error:
                print(f"left out: {', '.join(wanted)}: {_brief(error)}")
                continue
            for name in wanted:
                peer = server.peers[name](started)
                try:
                    async with asyncio.timeout(PATIENCE), peer.session() as echo:
                        await echo.say("there?")
                except FAILURES as error:
                    print(f"left out: {name}: {_brief(error)}")
                else:
                    running.append(peer)
        yield running


async def rounds(running: list[Peer], options: argparse.Namespace) -> list[Cell]:
    """Measure all peers in turn, again and again, under each load; more sessions are opened as the
    loads grow.
    """
    cells: list[Cell] = []
    async with AsyncExitStack() as opened:
        echoes: dict[str, list[Echo]] = {peer.name: [] for peer in running}
        for sessions in sorted(options.sessions):
            for peer in list(running):
                mine = echoes[peer.name]
                try:
                    async with asyncio.timeout(PATIENCE + sessions):
                        while len(mine) < sessions:
                            mine.append(await opened.enter_async_context(peer.session()))
                    await warm(mine)
                except FAILURES as error:
                    running.remove(peer)
                    print(f"left out from {sessions} sessions on: {peer.name}: {_brief(error)}")
            for think in options.think:
                cells += await _load(running, echoes, Load(sessions, think), options)
    return cells


async def _load(
    running: list[Peer], echoes: dict[str, list[Echo]], load: Load, options: argparse.Namespace
) -> list[Cell]:
    cells = {peer.name: Cell(peer.name, load) for peer in running}
    for _ in range(options.rounds):
        for peer in list(running):
            try:
                reading = await measure(
                    peer, echoes[peer.name], load.think, options.seconds * (1 + load.think)
                )
            except FAILURES as error:
                running.remove(peer)
                print(f"left out from {load} on: {peer.name}: {_brief(error)}")
            else:
                cells[peer.name].readings.append(reading)
    measured = [cell for cell in cells.values() if cell.readings]
    print_table(load, measured)
    return measured


def print_table(load: Load, cells: Sequence[Cell]) -> None:
    """One load's table."""
    bases = {cell.peer: cell for cell in cells}
    print(f"\n{load}")
    print(f"  {'':<26}{'p50':>8}{'p95':>8}{'p99':>8}{'trips/s':>9}{'x R':>7}{'x s-s':>7}  per trip")
    for cell in cells:
        ratios = "".join(
            f"{cell.p50_to(bases[base]):>7.2f}" if base in bases else f"{'':>7}"
            for base in (UNIX, SHINY)
        )
        percentiles = "".join(f"{cell.percentile(share):>8.1f}" for share in (0.5, 0.95, 0.99))
        print(
            (
                f"  {cell.peer:<26}{percentiles}{cell.per_second:>9.1f}{ratios}  "
                f"{_costs(cell.per_trip)}"
            ),
            flush=True,
        )


def _costs(costs: Mapping[str, float]) -> str:
    counted = [
        f"{count:.2f} {name}"
        for name, count in costs.items()
        if name not in ("bytes up", "bytes down", "frames up", "frames down")
    ]
    up, down = (
        f"{costs[f'bytes {way}']:.0f} B in {costs[f'frames {way}']:.1f} {way}"
        for way in ("up", "down")
    )
    return ", ".join([up, down, *counted])


def report(cells: Sequence[Cell], path: Path) -> None:
    """Print what of the wanted was met, and write everything to ``path``."""
    by_load = {(cell.load, cell.peer): cell for cell in cells}
    print("\nwanted of Sheen over WebSocket")
    verdicts = [verdict for goal in GOALS if (verdict := goal.judge(by_load))]
    for verdict in verdicts or ["not measured"]:
        print(f"  {verdict}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps(
            {
                "machine": _machine(),
                "goals": verdicts,
                "cells": [_plain(cell, by_load) for cell in cells],
            },
            indent=1,
        )
    )
    print(f"\nall of it: {path}")


def _machine() -> dict[str, object]:
    return {
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def _plain(cell: Cell, by_load: Mapping[tuple[Load, str], Cell]) -> dict[str, object]:
    bases = {
        base: by_load[cell.load, base] for base in (UNIX, SHINY) if (cell.load, base) in by_load
    }
    return {
        "peer": cell.peer,
        "sessions": cell.load.sessions,
        "think_seconds": cell.load.think,
        "rounds": len(cell.readings),
        "trips": sum(len(reading.trips) for reading in cell.readings),
        "milliseconds": {
            f"p{share * 100:g}": round(cell.percentile(share), 3) for share in (0.5, 0.95, 0.99)
        },
        "trips_per_second": round(cell.per_second, 2),
        "p50_ratio": {base: round(cell.p50_to(other), 3) for base, other in bases.items()},
        "rate_ratio": {base: round(cell.rate_to(other), 3) for base, other in bases.items()},
        "per_trip": {name: round(cost, 2) for name, cost in cell.per_trip.items()},
    }


def _brief(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
