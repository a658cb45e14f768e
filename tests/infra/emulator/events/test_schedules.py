"""Schedules fire on the stack's clock."""

import asyncio
import json
from datetime import UTC, datetime
from typing import cast

from chalicelib.schedules import Schedule
from infra.emulator.clock import Clock
from infra.emulator.console import Console
from infra.emulator.events.schedules import Schedules, ScheduleTrigger
from infra.emulator.gateway.invoker import Invoker

MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC).timestamp()


class Invoked:
    def __init__(self) -> None:
        self.events: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    def invoke_event(self, function: str, payload: bytes) -> None:
        self.events.put_nowait((function, json.loads(payload)["time"]))


async def fired(expression: str, count: int) -> list[str]:
    invoked = Invoked()
    clock = Clock(100_000, wall=lambda: MIDNIGHT)
    schedules = Schedules(
        [ScheduleTrigger("f", Schedule.parse(expression).next_after)],
        cast(Invoker, invoked),  # all that it uses
        clock,
        Console(),
    )
    schedules.start()
    async with asyncio.timeout(20):
        times = [(await invoked.events.get())[1][:13] for _ in range(count)]
    await schedules.stop()
    return times


async def test_a_rate_fires_from_one_period_on() -> None:
    assert await fired("rate(12 hours)", 3) == ["2026-11-20T12", "2026-11-21T00", "2026-11-21T12"]


async def test_cron_fires_at_its_times() -> None:
    assert await fired("cron(0 8 ? * MON-FRI *)", 3) == [
        "2026-11-20T08",
        "2026-11-23T08",
        "2026-11-24T08",
    ]
