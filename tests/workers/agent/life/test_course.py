"""The instance's life where the state machine, or the row, does not do what was expected."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.activity import Activity
from agent.life import reports
from agent.life.course import InstanceLife, LedApp, Rhythm, idle_limit
from agent.life.reports import NotAwaited
from agent.processes.worker import Worker
from agent.processes.workers import Workers
from agent.record import InstanceRecord
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.instances import store
from chalicelib.instances.model import Instance
from chalicelib.kinds import shiny_r
from tests.support.waiting import eventually

RHYTHM = Rhythm(beat=0.05, tick=0.02, retry=0.02, unwatched=0.2, catch_up=0.05)


class StateMachine:
    """Takes reports; refuses those for the tokens in ``over``, and fails as often as told."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []
        self.over: set[str] = set()
        self.failures = 0

    def take(self, operation: str) -> Callable[..., Any]:
        async def report(token: str, *_details: str) -> None:
            if self.failures:
                self.failures -= 1
                raise ConnectionError("no network")
            if token in self.over:
                raise NotAwaited("over")
            self.said.append((operation, token))

        return report


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> StateMachine:
    machine = StateMachine()
    for operation in ("ready", "idle", "failed", "beat"):
        monkeypatch.setattr(reports, operation, machine.take(operation))
    return machine


@pytest.fixture
def instance(tables: None) -> Instance:
    version_id = "life.v"
    claimed = store.claim(
        version_id, 0, app="/x", capacity=5, now=0, seen=store.in_slot(version_id, 0)
    )
    assert claimed is not None
    return claimed


@pytest.fixture
async def workers(spec: Callable[..., Any]) -> AsyncIterator[Workers]:
    workers = Workers(lambda number: Worker(spec("echo", number=number)))
    yield workers
    await workers.close()


@dataclass
class Serving:
    workers: Workers
    activity: Activity
    looks: int = 0
    failures: int = 0

    async def catch_up(self) -> None:
        self.looks += 1
        if self.failures:
            self.failures -= 1
            raise ConnectionError("no network")


async def nothing() -> None:
    """What an instance does that was never a spare."""


def life_of(
    instance: Instance, workers: Workers, idle: float = 0.0, serving: Serving | None = None
) -> InstanceLife:
    settings = AppSettings(app_idle_timeout=0, instance_idle_timeout=idle)
    record = InstanceRecord(
        instance.ref, "/x", 1, settings, instance.secret, Path("/x"), shiny_r.KIND
    )
    life = InstanceLife(instance.ref, "start", "127.0.0.1:1", "arn", workers.ready, nothing, RHYTHM)
    serving = serving or Serving(workers, Activity(lambda: False))
    life.lead(record, LedApp(serving.workers, serving.activity, serving.catch_up))
    return life


async def test_ready_is_told_again_until_it_is_heard(
    machine: StateMachine, instance: Instance, workers: Workers
) -> None:
    machine.failures = 4
    life = life_of(instance, workers)
    running = asyncio.create_task(life.run())
    await eventually(lambda: ("ready", "start") in machine.said)
    life.end()
    assert await running == 0


async def test_a_start_that_nobody_waits_for_any_more_ends_the_agent(
    machine: StateMachine, instance: Instance, workers: Workers
) -> None:
    machine.over.add("start")
    assert await asyncio.wait_for(life_of(instance, workers).run(), 10) == 1


async def test_a_beat_refused_ends_only_an_instance_that_was_given_up(
    machine: StateMachine, instance: Instance, workers: Workers
) -> None:
    life = life_of(instance, workers)
    running = asyncio.create_task(life.run())
    await eventually(lambda: life.ready)
    store.mark_ready(instance.ref, "127.0.0.1:1", "watch-1", 0)
    machine.over.add("watch-1")
    assert life.watch("watch-1", 1)
    assert life.watch("watch-2", 2)
    await eventually(lambda: ("beat", "watch-2") in machine.said)
    assert not running.done()
    store.mark_stopped(instance.ref, None, 0)
    machine.over.add("watch-2")
    assert await asyncio.wait_for(running, 10) == 0


async def test_a_token_that_comes_late_does_not_replace_the_one_that_is_waited_for(
    machine: StateMachine, instance: Instance, workers: Workers
) -> None:
    life = life_of(instance, workers, idle=0.1)
    running = asyncio.create_task(life.run())
    await eventually(lambda: life.ready)
    assert life.watch("retried", 2)
    assert not life.watch("given-up", 1)
    assert life.watch("retried", 2), "the same once more"
    await eventually(lambda: ("idle", "retried") in machine.said)
    assert life.watch("next", 3)
    await eventually(lambda: ("idle", "next") in machine.said)
    assert not [said for said in machine.said if said[1] == "given-up"]
    life.end()
    assert await running == 0


async def test_an_idle_instance_that_nobody_watches_ends_itself(
    machine: StateMachine, instance: Instance, workers: Workers
) -> None:
    assert await asyncio.wait_for(life_of(instance, workers, idle=0.1).run(), 10) == 0
    assert ("idle", "start") not in machine.said


async def test_what_nobody_told_it_is_looked_for_when_it_is_ready_and_again_and_again(
    machine: StateMachine, instance: Instance, workers: Workers
) -> None:
    serving = Serving(workers, Activity(lambda: False), failures=2)
    machine.failures = 2
    life = life_of(instance, workers, serving=serving)
    running = asyncio.create_task(life.run())
    await eventually(lambda: machine.failures == 0)
    assert serving.looks == 0, (
        "a start reads what there is; what comes later is looked for once it is over"
    )
    await eventually(lambda: serving.looks > 3)
    life.end()
    assert await running == 0


async def test_a_stop_while_r_starts_leaves_no_r(
    machine: StateMachine, instance: Instance, spec: Callable[..., Any]
) -> None:
    workers = Workers(lambda number: Worker(spec("slow", number=number)))
    life = life_of(instance, workers)
    running = asyncio.create_task(life.run())
    await eventually(lambda: workers.newest is not None and workers.newest.pid is not None)
    life.end()
    assert await asyncio.wait_for(running, 10) == 1
    await workers.close()
    assert workers.newest is not None
    assert workers.newest.returncode is not None
    assert not [said for said in machine.said if said[0] in ("ready", "failed")]


@pytest.mark.parametrize(
    ("idle", "unvisited", "visited", "limit"),
    [
        (900, 90, False, 90),
        (900, 90, True, 900),
        (30, 90, False, 30),
        (0, 90, False, 90),
        (0, 90, True, math.inf),
        (900, 0, False, 900),
    ],
)
def test_an_instance_that_nobody_connected_to_is_idle_early(
    idle: float, unvisited: float, visited: bool, limit: float
) -> None:
    settings = AppSettings(instance_idle_timeout=idle, instance_unvisited_timeout=unvisited)
    assert idle_limit(settings, visited=visited) == limit


def test_a_connection_is_remembered_after_it_has_gone() -> None:
    connected = [False]
    activity = Activity(lambda: False, lambda: 0.0, lambda: connected[0])
    activity.quiet_for()
    assert not activity.visited
    connected[0] = True
    activity.quiet_for()
    connected[0] = False
    activity.quiet_for()
    assert activity.visited
