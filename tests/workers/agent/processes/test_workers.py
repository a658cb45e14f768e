"""Starting and stopping R as it is needed."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agent.failure import AppStartFailed, NoSeat, WorkerExited, WorkerGone
from agent.processes import fresh
from agent.processes.command import WorkerSpec
from agent.processes.preloaded import PreloadedProcess
from agent.processes.worker import Worker, WorkerState
from agent.processes.workers import Workers
from chalicelib.configuration.worker_limits import WorkerLimits

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


async def test_one_who_gives_up_does_not_stop_the_start_for_others(
    workers: Workers, made: Made
) -> None:
    first = asyncio.create_task(workers.ready())
    second = asyncio.create_task(workers.ready())
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).state is WorkerState.READY
    assert len(made.all) == 1


async def test_after_a_failed_start_the_next_visitor_starts_anew(
    workers: Workers, made: Made
) -> None:
    made.app = "crash"
    with pytest.raises(AppStartFailed):
        await workers.ready()
    made.app = "echo"
    assert (await workers.ready()).state is WorkerState.READY


class Forking:
    """Makes workers of an app that are forked, or afresh."""

    def __init__(self, spec: MakeSpec, preloaded: PreloadedProcess, app: str) -> None:
        self.all: list[Worker] = []
        self._spec, self._app = spec, app
        self._preloaded = preloaded

    def _make(self, number: int, starter: Any) -> Worker:
        return Worker(self._spec(self._app, number=number), starter=starter)

    def forked(self, number: int) -> Worker:
        self.all.append(self._make(number, self._preloaded.fork))
        return self.all[-1]

    def afresh(self, number: int) -> Worker:
        self.all.append(self._make(number, fresh.start))
        return self.all[-1]


async def test_an_app_that_fails_only_when_it_is_forked_gets_a_fresh_r_by_itself(
    spec: MakeSpec, preloaded: PreloadedProcess
) -> None:
    made = Forking(spec, preloaded, "forkless")
    workers = Workers(made.forked, afresh=made.afresh)
    try:
        first = await workers.ready()
        assert ([worker.forked for worker in made.all], first.state) == (
            [True, False],
            WorkerState.READY,
        )
        assert workers.end_idle(0) == [first]
        await first.gone()
        assert await workers.ready() is made.all[2]
        assert not made.all[2].forked
        assert len({worker.spec.worker_id for worker in made.all}) == 3
    finally:
        await workers.close()


async def test_an_app_that_fails_forked_and_fresh_is_forked_again_the_next_time(
    spec: MakeSpec, preloaded: PreloadedProcess
) -> None:
    made = Forking(spec, preloaded, "crash")
    workers = Workers(made.forked, afresh=made.afresh)
    for _ in range(2):
        with pytest.raises(AppStartFailed):
            await workers.ready()
    await workers.close()
    assert [worker.forked for worker in made.all] == [True, False, True, False]


async def test_a_dead_worker_is_replaced_under_a_new_id(workers: Workers) -> None:
    first = await workers.ready()
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    await first.gone()
    second = await workers.ready()
    assert second.state is WorkerState.READY
    assert first.spec.worker_id != second.spec.worker_id


async def test_a_worker_in_use_is_not_stopped_and_one_wanted_while_stopping_is_a_new_one(
    workers: Workers,
) -> None:
    async with workers.use() as first:
        assert not workers.end_idle(0)
        assert first.state is WorkerState.READY
    assert workers.end_idle(0) == [first]
    second = await workers.ready()
    assert second is not first
    assert first.state is WorkerState.EXITED
    assert second.state is WorkerState.READY


async def test_nothing_starts_after_the_end(made: Made) -> None:
    made.app = "slow"
    workers = Workers(made)
    waiting = asyncio.create_task(workers.ready())
    while not made.all or made.all[0].pid is None:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await workers.close()
    with pytest.raises((AppStartFailed, WorkerExited, asyncio.CancelledError)):
        await waiting
    assert made.all[0].state is WorkerState.EXITED
    with pytest.raises(WorkerExited):
        await workers.ready()
    assert len(made.all) == 1


# Several workers: who is seated where


class FakeWorker:
    """As :class:`agent.processes.worker.Worker`, without a process."""

    def __init__(self, number: int, fails: bool = False) -> None:
        self.spec = SimpleNamespace(worker_id=f"v.0.{number}")
        self.state = WorkerState.NEW
        self.fails = fails
        self.started = asyncio.Event()
        self._gone = asyncio.Event()

    async def start(self) -> None:
        self.state = WorkerState.STARTING
        await asyncio.sleep(0)
        if self.fails:
            self.exit()
            raise AppStartFailed("no")
        self.state = WorkerState.READY

    def exit(self) -> None:
        self.state = WorkerState.EXITED
        self._gone.set()

    def begin_stop(self) -> asyncio.Task[None]:
        self.state = WorkerState.STOPPING
        return asyncio.create_task(self.stop())

    async def stop(self) -> None:
        self.exit()

    async def gone(self) -> None:
        await self._gone.wait()


class Heard:
    def __init__(self) -> None:
        self.over: list[tuple[str, set[str]]] = []

    def changed(self) -> None:
        pass

    def superseded(self, worker: Worker, sessions: Iterable[str]) -> None:
        self.over.append((f"superseded {worker.spec.worker_id}", set(sessions)))

    def ended(self, worker: Worker, sessions: Iterable[str]) -> None:
        self.over.append((worker.spec.worker_id, set(sessions)))


class Place:
    """Workers without processes, with a clock of the test's."""

    def __init__(self, limits: WorkerLimits) -> None:
        self.now = 0.0
        self.heard = Heard()
        self.fail = False
        self.workers = Workers(self.make, limits, self.heard, clock=lambda: self.now)

    def make(self, number: int) -> Worker:
        return cast(Worker, FakeWorker(number, self.fail))

    async def come(self, session: str) -> str:
        async with self.workers.seated(session) as worker:
            return worker.spec.worker_id

    def there(self) -> dict[str, int]:
        return {
            worker.spec.worker_id: self.workers.sessions_of(worker) for worker in self.workers.all
        }


def fake(worker: Worker | None) -> FakeWorker:
    return cast(FakeWorker, worker)


async def test_sessions_are_spread_as_the_guide_says_and_keep_their_worker() -> None:
    place = Place(WorkerLimits(5, 0.5, 3))
    seats = [await place.come(f"s{number}") for number in range(15)]
    assert seats[:6] == ["v.0.1", "v.0.1", "v.0.2", "v.0.2", "v.0.1", "v.0.3"]
    assert place.there() == {"v.0.1": 5, "v.0.2": 5, "v.0.3": 5}
    with pytest.raises(NoSeat):
        await place.come("s15")
    async with place.workers.of_session("s3") as worker:
        assert worker.spec.worker_id == "v.0.2"
    place.workers.leave("s3")
    assert await place.come("s16") == "v.0.2"
    with pytest.raises(WorkerGone):
        async with place.workers.of_session("s3"):
            pass


async def test_who_waits_for_a_page_holds_a_seat_until_it_is_over() -> None:
    place = Place(WorkerLimits(2, 1.0, 1))
    coming = asyncio.create_task(place.come("a"))
    await asyncio.sleep(0)
    assert fake(place.workers.newest).state is not WorkerState.READY
    assert place.workers.sessions() == ["a"]
    await coming
    await place.come("b")
    assert place.workers.sessions() == ["a", "b"]
    place.workers.leave("a")
    assert place.workers.sessions() == ["b"]


async def test_many_who_come_at_once_are_spread_alike() -> None:
    place = Place(WorkerLimits(5, 0.5, 3))
    results = await asyncio.gather(
        *(place.come(f"s{number}") for number in range(16)), return_exceptions=True
    )
    assert place.there() == {"v.0.1": 5, "v.0.2": 5, "v.0.3": 5}
    assert [type(result) for result in results].count(NoSeat) == 1


async def test_a_worker_that_ends_takes_only_its_own_sessions_along() -> None:
    place = Place(WorkerLimits(1, 1.0, 2))
    await place.come("a")
    await place.come("b")
    fake(place.workers.worker_of("a")).exit()
    for _ in range(5):
        await asyncio.sleep(0)
    assert place.heard.over == [("v.0.1", {"a"})]
    assert place.there() == {"v.0.2": 1}
    assert await place.come("c") == "v.0.3"


async def test_a_worker_is_found_by_its_id_and_only_while_it_serves() -> None:
    place = Place(WorkerLimits(1, 1.0, 2))
    await place.come("a")
    await place.come("b")
    async with place.workers.named("v.0.2") as worker:
        assert worker is place.workers.worker_of("b")
    fake(place.workers.worker_of("b")).state = WorkerState.STOPPING
    for gone in ("v.0.2", "v.0.3"):
        with pytest.raises(WorkerGone):
            async with place.workers.named(gone):
                pass


async def test_each_worker_ends_by_itself_when_nobody_was_on_it_for_long_enough() -> None:
    place = Place(WorkerLimits(1, 1.0, 2))
    await place.come("a")
    await place.come("b")
    place.now = 100.0
    place.workers.leave("a")
    place.now = 104.0
    assert not place.workers.end_idle(5)
    place.now = 105.0
    assert [worker.spec.worker_id for worker in place.workers.end_idle(5)] == ["v.0.1"]
    assert not place.workers.end_idle(5)
    async with place.workers.use() as worker:  # "b" keeps its own, and only that one serves
        assert worker.spec.worker_id == "v.0.2"


async def test_who_is_awaited_keeps_the_workers_up() -> None:
    place = Place(WorkerLimits(1, 1.0, 1))
    await place.workers.ready()
    place.now = 6.0
    place.workers.touch()
    assert not place.workers.end_idle(5)


async def test_when_a_further_worker_does_not_start_its_sessions_go_to_those_that_serve() -> None:
    place = Place(WorkerLimits(2, 0.5, 2))
    await place.come("a")
    place.fail = True
    assert await place.come("b") == "v.0.1"
    with pytest.raises(AppStartFailed):
        await place.come("c")
    assert place.there() == {"v.0.1": 2}
    place.fail = False
    assert await place.come("c") == "v.0.4"


async def test_what_every_worker_can_answer_goes_to_the_one_with_the_fewest_requests() -> None:
    place = Place(WorkerLimits(1, 1.0, 2))
    await place.come("a")
    await place.come("b")
    async with place.workers.use() as first, place.workers.use() as second:
        assert {first.spec.worker_id, second.spec.worker_id} == {"v.0.1", "v.0.2"}
        assert place.workers.others(first) == [second]


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_after_a_restart_old_sessions_keep_their_worker_until_the_last_has_left() -> None:
    place = Place(WorkerLimits(5, 1.0, 1))
    await place.come("a")
    await place.come("b")
    assert place.workers.retire(WorkerLimits(5, 1.0, 1), 3) == 1
    assert await place.come("c") == "v.0.2"
    async with place.workers.of_session("a") as old:
        assert old.spec.worker_id == "v.0.1"
    assert place.workers.is_retired(old)
    place.workers.leave("a")
    await settle()
    assert place.there() == {"v.0.1": 1, "v.0.2": 1}
    place.workers.leave("b")
    await settle()
    assert place.there() == {"v.0.2": 1}


async def test_a_restart_ends_workers_without_sessions_at_once_and_starts_none() -> None:
    place = Place(WorkerLimits(5, 1.0, 1))
    await place.workers.ready()
    place.workers.retire(WorkerLimits(5, 1.0, 1), 3)
    await settle()
    assert place.there() == {}


async def test_of_retired_workers_only_so_many_live_on_and_the_oldest_go_first() -> None:
    place = Place(WorkerLimits(1, 1.0, 1))
    for number in range(5):
        await place.come(f"s{number}")
        place.workers.retire(WorkerLimits(1, 1.0, 1), 2)
        await settle()
        assert len(place.there()) <= 2
    assert [what for what, _ in place.heard.over] == [
        f"{word}v.0.{number}" for number in (1, 2, 3) for word in ("superseded ", "")
    ]
    assert [sessions for what, sessions in place.heard.over if what.startswith("superseded")] == [
        {"s0"},
        {"s1"},
        {"s2"},
    ]


async def test_a_start_under_way_at_a_restart_serves_who_waits_for_it_and_then_ends() -> None:
    place = Place(WorkerLimits(5, 1.0, 1))
    coming = asyncio.create_task(place.come("a"))
    asset = asyncio.create_task(place.workers.ready())
    await asyncio.sleep(0)
    place.workers.retire(WorkerLimits(5, 1.0, 1), 3)
    assert await coming == "v.0.1"
    assert (await asset).state is WorkerState.READY
    place.workers.leave("a")
    await settle()
    assert place.there() == {}
