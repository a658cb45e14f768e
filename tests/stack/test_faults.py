"""Rule 4 under everything that the network and AWS may do to a message, at once (FACTS W, H).

``SHEEN_FAULT_SEED`` replays a seed: it decides what visitors say and what happens to it.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest

from relay.errors import AppExited, SessionClosed
from tests.support import effort
from tests.support.apps import app
from tests.support.counting import APP, Counter
from tests.support.effort import amount
from tests.support.stack import StackProcess

pytestmark = pytest.mark.stack

SESSIONS = amount(50, least=20)
EACH = amount(200, least=40)
FAST = 200.0
"""The gateway's clock: its ten minutes are 3 s, its two hours 36 s (FACTS W2)."""
FAULTS = {
    "reorder": 0.2,
    "double": 0.1,
    "delay": 0.1,
    "spread": 0.15,
    "cut": 0.01,
    "half_open": 0.0002,
    "drop_disconnect": 0.3,
    "delay_disconnect": 0.3,
    "disconnect_spread": 600,
    "post_410": 0.005,
    "post_429": 0.03,
    "post_504": 0.02,
    "rest_504": 0.1,
}


@pytest.fixture
def seed() -> int:
    return int(effort.seed("SHEEN_FAULT_SEED"), 16)


@pytest.fixture
def faulty(stack: StackProcess, seed: int) -> Iterator[StackProcess]:
    """The stack, made well again afterwards."""
    yield stack
    stack.control("POST", "/faults", {})
    stack.control("POST", "/clock", {"speed": 1})


def difference(before: dict[str, Any], after: dict[str, Any]) -> str:
    invocations = {
        name: count - before["invocations"].get(name, 0)
        for name, count in after["invocations"].items()
    }
    return ", ".join(
        f"{name.removeprefix('sheen-local-')} {count}"
        for name, count in invocations.items()
        if count
    )


@asynccontextmanager
async def visitors(url: str, seed: int, count: int) -> AsyncIterator[list[Counter]]:
    # Every second one moves on to a fresh connection before the two hours are over; the others are
    # cut.
    counters = [
        Counter(url, Random(f"{seed}/{n}"), 6600.0 / FAST if n % 2 else 1e9) for n in range(count)
    ]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=40)) as http:
        try:
            await asyncio.gather(*(counter.begin(http) for counter in counters))
            yield counters
        finally:
            await asyncio.gather(*(counter.client.stop() for counter in counters))


@pytest.mark.timeout(600)
async def test_no_message_is_lost_doubled_or_reordered_under_all_faults_at_once(
    faulty: StackProcess, seed: int, tmp_path: Path
) -> None:
    replay = f"SHEEN_FAULT_SEED={seed:x}"
    sys.stderr.write(f"\n{replay}\n")
    faulty.publish(
        app(tmp_path / "count", APP), "/count", reconnect_grace=120, simple_scheduler=200
    )
    faulty.wake("/count/")
    faulty.control("POST", "/faults", {"seed": seed, **FAULTS})
    faulty.control("POST", "/clock", {"speed": FAST})
    before = faulty.counters()
    began = time.monotonic()
    async with visitors(f"{faulty.url}/count/", seed, SESSIONS) as counters:
        async with asyncio.timeout(300):
            await asyncio.gather(
                *(counter.count(EACH, in_flight=4, pause=6.0) for counter in counters)
            )
        took = time.monotonic() - began
        assert [counter.wrong for counter in counters if counter.wrong] == [], replay
        ended = [counter.client.closed for counter in counters if counter.client.closed is not None]
        # What ends under faults says why; with a grace of two minutes it is the exception.
        assert all(close.code >= 4500 and len(close.reason) > 20 for close in ended), (
            replay,
            ended,
        )
        assert len(ended) <= SESSIONS // 10, (replay, ended)
        after = faulty.counters()
        connections = sum(counter.client.connections for counter in counters)
        sys.stderr.write(
            f"{took:.0f} s: {sum(c.echoes for c in counters)} echoes, {sum(c.told for c in counters)} messages of the app, "  # noqa: E501
            f"{connections} connections, {sum(c.client.refreshes for c in counters)} moves, "
            f"{sum(c.client.refused for c in counters)} refused, "
            f"{sum(c.client.errors_told for c in counters)} errors told, "
            f"{len(ended)} ended; {difference(before, after)}\n"
        )
        assert connections > 2 * SESSIONS, "the faults did not happen"
        await they_are_told_why(counters)


async def they_are_told_why(counters: list[Counter]) -> None:
    """Under the same faults the app ends half of the sessions, and then dies under the others."""
    alive = [counter for counter in counters if counter.client.closed is None]
    leaving, staying = alive[::2], alive[1::2]
    for counter in leaving:
        counter.tell(leave=True)
    async with asyncio.timeout(60):
        await asyncio.gather(*(counter.client.ended.wait() for counter in leaving))
    assert {tuple(counter.client.closed or ()) for counter in leaving} == {SessionClosed().ending}
    assert [counter for counter in staying if counter.client.closed is not None] == []
    staying[0].tell(die=True)
    async with asyncio.timeout(60):
        await asyncio.gather(*(counter.client.ended.wait() for counter in staying))
    assert {tuple(counter.client.closed or ()) for counter in staying} == {AppExited().ending}
