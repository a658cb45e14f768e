"""Starting and stopping R as it is needed."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable

import pytest

from agent.command import WorkerSpec
from agent.failure import AppExited, AppStartFailed
from agent.worker import Worker, WorkerState
from agent.workers import Workers

MakeSpec = Callable[..., WorkerSpec]


class Made:
    def __init__(self, spec: MakeSpec) -> None:
        self.app = "echo"
        self.spec = spec
        self.all: list[Worker] = []

    def __call__(self, number: int) -> Worker:
        self.all.append(Worker(self.spec(self.app, number=number)))
        return self.all[-1]


@pytest.fixture
def made(spec: MakeSpec) -> Made:
    return Made(spec)


@pytest.fixture
async def workers(made: Made) -> AsyncIterator[Workers]:
    workers = Workers(made)
    yield workers
    await workers.close()


async def test_many_who_wait_share_one_start(workers: Workers, made: Made) -> None:
    got = await asyncio.gather(*(workers.ready() for _ in range(20)))
    assert set(got) == set(made.all)
    assert len(made.all) == 1


async def test_one_who_gives_up_does_not_stop_the_start_for_others(workers: Workers, made: Made) -> None:
    first = asyncio.create_task(workers.ready())
    second = asyncio.create_task(workers.ready())
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).state is WorkerState.READY
    assert len(made.all) == 1


async def test_after_a_failed_start_the_next_visitor_starts_anew(workers: Workers, made: Made) -> None:
    made.app = "crash"
    with pytest.raises(AppStartFailed):
        await workers.ready()
    made.app = "echo"
    assert (await workers.ready()).state is WorkerState.READY


async def test_a_dead_worker_is_replaced_under_a_new_id(workers: Workers) -> None:
    first = await workers.ready()
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    await first.gone()
    second = await workers.ready()
    assert second.state is WorkerState.READY
    assert first.spec.worker_id != second.spec.worker_id


async def test_a_worker_in_use_is_not_stopped_and_one_wanted_while_stopping_is_a_new_one(workers: Workers) -> None:
    async with workers.use() as first:
        assert not await workers.stop_unused()
        assert first.state is WorkerState.READY
    stopping = asyncio.create_task(workers.stop_unused())
    await asyncio.sleep(0)
    second = await workers.ready()
    assert second is not first
    assert first.state is WorkerState.EXITED
    assert await stopping
    assert second.state is WorkerState.READY


async def test_nothing_starts_after_the_end(made: Made) -> None:
    made.app = "slow"
    workers = Workers(made)
    waiting = asyncio.create_task(workers.ready())
    while not made.all or made.all[0].pid is None:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await workers.close()
    with pytest.raises((AppStartFailed, AppExited, asyncio.CancelledError)):
        await waiting
    assert made.all[0].state is WorkerState.EXITED
    with pytest.raises(AppExited):
        await workers.ready()
    assert len(made.all) == 1
