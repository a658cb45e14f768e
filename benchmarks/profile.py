"""Where a round trip's time goes in Sheen's stack, seen from outside: how far each hop is, and what
each process computes.

With ``py-spy`` at hand (``pip install py-spy``), also which lines of the Python processes.
"""

import asyncio
import json
import math
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks.measure import Load, measure, warm
from benchmarks.peers import RAlone, Sheen, echo_app, r_alone, sheen
from benchmarks.sessions import Echo, FramedEcho
from relay.hello import Ping, control
from tests.support.visitor import Visitor

TRIPS = 60
"""Of each hop in one round, back to back; a quarter of it after pauses."""
PAUSE = 0.15
"""Long enough for caches to cool and clocks to slow down, as with a person's input (seconds)."""
SAMPLES_PER_SECOND = 200
IDLE = {"_worker (concurrent/futures/thread.py)"}
"""Waits that py-spy takes for work."""


async def profile(seconds: float, rounds: int, sessions: Sequence[int]) -> None:
    """Start Sheen and R alone with the echo app, measure, and print. The processes are looked at
    with each number of ``sessions``.
    """
    async with AsyncExitStack() as stack:
        folder = await stack.enter_async_context(echo_app())
        r = await stack.enter_async_context(r_alone(folder, unix=True))
        whole = await stack.enter_async_context(sheen(folder))
        visitor = await stack.enter_async_context(Visitor(whole.url))
        alone = await stack.enter_async_context(r.session())
        through = FramedEcho.of(visitor.conversation)
        for echo in (alone, through):
            await warm([echo])
        for pause in (0, PAUSE):
            await _hops(visitor, through, alone, rounds, pause)
        await _lines(whole, through, seconds)
        ours: list[Echo] = [through]
        its: list[Echo] = [alone]
        for count in sorted(sessions):
            while len(ours) < count:
                ours.append(await stack.enter_async_context(whole.session()))
                its.append(await stack.enter_async_context(r.session()))
            await _processes(whole, r, ours, its, seconds)


# How far


async def _hops(visitor: Visitor, through: Echo, alone: Echo, rounds: int, pause: float) -> None:
    """Round trips that turn at each hop; the difference to the next is what lies between."""

    async def to_the_gateway() -> None:
        await (await visitor.socket.ping())

    async def to_the_agent() -> None:
        wire = visitor.conversation.wire
        await wire.send(json.dumps([control(Ping(visitor.conversation.expected))]))
        while "pong" not in await wire.receive():
            pass

    hops: dict[str, Callable[[], Awaitable[object]]] = {
        "to the gateway (WebSocket ping)": to_the_gateway,
        "to the agent: gateway, Lambda, agent, post (relay's ping)": to_the_agent,
        "to R: all of it": lambda: through.say(f"hop {time.perf_counter()}"),
        "to R alone by unix socket": lambda: alone.say(f"hop {time.perf_counter()}"),
    }
    taken: dict[str, list[float]] = {name: [] for name in hops}
    trips = math.ceil(TRIPS / 4) if pause else TRIPS
    for _ in range(rounds):
        for name, hop in hops.items():
            for _ in range(trips):
                await asyncio.sleep(pause)
                start = time.perf_counter()
                await hop()
                taken[name].append((time.perf_counter() - start) * 1000)
    pace = f"each after {pause:g} s" if pause else "back to back"
    print(f"\nround trips of one session, {pace}, milliseconds (median, p95 of {rounds * trips})")
    for name, times in taken.items():
        print(
            "  "
            f"{name:<60}{statistics.median(times):>8.2f}{sorted(times)[int(len(times) * 0.95)]:>8.2f}"  # noqa: E501
        )


# Who computes


async def _processes(
    whole: Sheen, r: RAlone, through: Sequence[Echo], alone: Sequence[Echo], seconds: float
) -> None:
    """CPU time per round trip of each process, back to back."""
    load = Load(len(through), 0)
    print(f"\nCPU time per round trip, milliseconds ({load})")
    for name, echoes, roles in (
        ("R alone, unix socket", alone, {"driver": [os.getpid()], "R": [r.process_id]}),
        ("Sheen, WebSocket", through, {"driver": [os.getpid()], **_roles(_stack(whole))}),
    ):
        await warm(echoes)
        before = {role: _cpu(ids) for role, ids in roles.items()}
        reading = await measure(_Uncounted(), echoes, 0, seconds)
        spent = {
            role: (_cpu(ids) - before[role]) / len(reading.trips) for role, ids in roles.items()
        }
        print(
            f"  {name}: {reading.per_second:.1f} trips/s, one each "
            f"{1000 / reading.per_second:.2f}; p50 {reading.percentile(0.5):.1f}"
        )
        for role, milliseconds in sorted(spent.items(), key=lambda item: -item[1]):
            if milliseconds >= 0.01:
                print(f"    {role:<44}{milliseconds:>8.2f}")
        print(f"    {'all of them':<44}{sum(spent.values()):>8.2f}", flush=True)


class _Uncounted:
    """Counts nothing: reading the stack's counters would cost CPU time too."""

    async def counters(self) -> Mapping[str, int]:
        return {}


def _stack(whole: Sheen) -> int:
    assert whole.stack.process is not None
    return whole.stack.process.pid


def _roles(root: int) -> dict[str, list[int]]:
    """The processes under ``root`` by what they do."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(folder.name))
    roles: dict[str, list[int]] = {}
    found = [root]
    for process_id in found:
        found += children.get(process_id, [])
        roles.setdefault(_role(process_id, root), []).append(process_id)
    return roles


def _role(process_id: int, root: int) -> str:
    try:
        command = Path(f"/proc/{process_id}/cmdline").read_text().replace("\0", " ")
        environment = Path(f"/proc/{process_id}/environ").read_text(errors="replace")
    except OSError:
        return "gone"
    variables = dict(line.partition("=")[::2] for line in environment.split("\0"))
    if process_id == root:
        return "local stack (gateway, Lambda service)"
    if "lambdas/bootstrap" in command:
        return f"Lambda {variables.get('AWS_LAMBDA_FUNCTION_NAME', '')}".strip()
    for mark, role in (
        ("moto", "moto"),
        ("task_init", "task's init"),
        ("-m agent", "agent"),
        ("bin/exec/R", "R"),
    ):
        if mark in command:
            return role
    return command[:40]


def _cpu(process_ids: Sequence[int]) -> float:
    """CPU time so far of all threads of these processes, in milliseconds."""
    total = 0
    for process_id in process_ids:
        for thread in Path(f"/proc/{process_id}/task").glob("*/schedstat"):
            try:
                total += int(thread.read_text().split()[0])
            except (OSError, IndexError):
                continue
    return total / 1e6


# Which lines


async def _lines(whole: Sheen, through: Echo, seconds: float) -> None:
    """What py-spy sees in the processes that carry a message."""
    spy = shutil.which(
        "py-spy",
        path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    )
    if spy is None:
        print("\nno py-spy here, so no lines: pip install py-spy")
        return
    carriers = {
        role: ids[0] if role != "agent" else ids[-1]
        for role, ids in _roles(_stack(whole)).items()
        if role.startswith("local stack") or role == "agent"
    }
    busiest = max(
        _roles(_stack(whole)).get("Lambda sheen-local-websocket_message", []),
        key=lambda each: _cpu([each]),
        default=None,
    )
    if busiest is not None:
        carriers["Lambda websocket_message"] = busiest
    for role, process_id in carriers.items():
        with tempfile.TemporaryDirectory() as scratch:
            output = Path(scratch) / "stacks"
            watching = await asyncio.create_subprocess_exec(
                spy, "record", "--pid", str(process_id), "--duration", str(max(2, round(seconds))), "--rate", str(SAMPLES_PER_SECOND),  # noqa: E501
                "--format", "raw", "--output", str(output),
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            said = asyncio.create_task(watching.communicate())
            while not said.done():
                await measure(_Uncounted(), [through], 0, 0.2)
            if not output.exists():
                print(f"\n{role}: py-spy: {(await said)[0].decode()[-200:].strip()}")
                continue
            _print_stacks(role, output.read_text())


def _print_stacks(role: str, stacks: str) -> None:
    """Where the samples lie: on top (itself), and anywhere in the stack (with what it calls)."""
    itself: Counter[str] = Counter()
    within: Counter[str] = Counter()
    total = 0
    for line in stacks.splitlines():
        frames, _, count = line.rpartition(" ")
        names = [_short(frame) for frame in frames.split(";")]
        if names[-1] in IDLE:
            continue
        total += int(count)
        itself[names[-1]] += int(count)
        for name in set(names):
            within[name] += int(count)
    print(f"\n{role}: {total} samples with work, by share: itself | with what it calls")
    for (mine, alone), (whole, with_calls) in zip(
        itself.most_common(16), within.most_common(16), strict=False
    ):
        print(f"  {alone / total:>5.0%} {mine[:62]:<62} | {with_calls / total:>5.0%} {whole[:62]}")


def _short(frame: str) -> str:
    """``function (file:line)`` without the line, so that a function is one entry."""
    name, _, place = frame.partition(" (")
    return f"{name} ({place.rpartition(':')[0].rpartition('site-packages/')[2] or place})"
