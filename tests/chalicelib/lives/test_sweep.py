"""The sweeper: each kind of loss is injected, found, repaired once, and what is well is left
alone.
"""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.apps import life
from chalicelib.apps import store as apps
from chalicelib.aws import clients
from chalicelib.configuration.deployment import Settings
from chalicelib.instances import store
from chalicelib.instances.ceilings import store as ceilings
from chalicelib.instances.ceilings.model import INSTANCES
from chalicelib.instances.model import Instance, InstanceRef
from chalicelib.instances.state import START_LIMIT, InstanceState
from chalicelib.lives import ending, starts, sweep
from chalicelib.lives.repairs import (
    DRAIN_LIMIT,
    GRACE,
    EndInstance,
    SeenInstance,
    SeenTask,
    StartAgain,
    StopTask,
    is_leaked,
    repairs,
)
from chalicelib.scheduler.queue import store as queue
from chalicelib.scheduler.queue.model import QueuePlace
from chalicelib.sessions.connections import store as connections
from tests.chalicelib.simulated_aws import SimulatedAws

pytestmark = pytest.mark.usefixtures("dynamodb_calls")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> SimulatedAws:
    made = SimulatedAws()
    monkeypatch.setattr(clients, "client", made.client)
    return made


@pytest.fixture
def settings() -> Settings:
    return Settings.from_environment()


class Life:
    """An instance as it should be: claimed, started, ready, with its task."""

    def __init__(
        self, world: SimulatedAws, settings: Settings, slot: int = 0, *, ready: bool = True
    ) -> None:
        claimed = store.claim(
            "0123456789ab.v", slot, app="/hello", capacity=9, now=world.now, size="small"
        )
        assert claimed is not None
        self.ref = claimed.ref
        starts.start(starts.Start(self.ref, "small"), settings.instance_state_machine, world.now)
        if ready:
            self.task = world.run_task_of(self.ref, "start-token")
            store.mark_ready(self.ref, "10.0.0.1:8080", "watch-token", world.now, self.task.arn)

    @property
    def row(self) -> Instance:
        row = store.get(self.ref)
        assert row is not None
        return row


def sweep_twice(world: SimulatedAws, settings: Settings) -> dict[str, int]:
    made = sweep.sweep(settings, world.clock)
    assert sweep.sweep(settings, world.clock) == {}, "once repaired, there is nothing left"
    return made


def test_what_is_well_is_left_alone(world: SimulatedAws, settings: Settings) -> None:
    Life(world, settings), Life(world, settings, 1, ready=False)
    gone = Life(world, settings, 2)
    store.mark_stopped(gone.ref, None, world.now)
    world.stop_task(cluster="", task=gone.task.arn, reason="")
    world.executions[gone.ref.instance_id].running = False
    draining = Life(world, settings, 3)
    assert store.drain(draining.ref, world.now)
    world.now += GRACE + 1
    assert sweep_twice(world, settings) == {}


def test_places_below_the_ceiling_follow_the_instances(
    world: SimulatedAws, settings: Settings
) -> None:
    limited = dataclasses.replace(settings, most_instances=9)
    there = Life(world, settings)
    ceilings.enter(INSTANCES, "lost", 9, world.now)
    world.now += GRACE + 1
    assert sweep_twice(world, limited) == {"Place": 2}
    assert list(ceilings.holders(INSTANCES)) == [there.ref.instance_id]


def test_a_claim_that_the_stream_lost_is_started(world: SimulatedAws, settings: Settings) -> None:
    lost = store.claim("0123456789ab.v", 0, app="/hello", capacity=9, now=world.now, size="small")
    assert lost is not None
    assert sweep_twice(world, settings) == {}, "it is young"
    world.now += GRACE + 1
    assert sweep_twice(world, settings) == {"StartAgain": 1}
    assert world.executions[lost.instance_id].input == {
        "instance": str(lost.ref),
        "instance_id": lost.instance_id,
        "size": "small",
    }


def test_a_start_whose_state_machine_ended_is_given_up(
    world: SimulatedAws, settings: Settings
) -> None:
    lost = Life(world, settings, ready=False)
    world.executions[lost.ref.instance_id].running = False
    world.now += GRACE + 1
    assert sweep_twice(world, settings) == {"StartAgain": 1}
    assert (lost.row.state, lost.row.failure["error"]) == ("STOPPED", "ExecutionLost")


def test_an_overdue_start_is_given_up_with_its_state_machine_and_task(
    world: SimulatedAws, settings: Settings
) -> None:
    lost = Life(world, settings, ready=False)
    task = world.run_task_of(lost.ref, "start-token")
    world.now += START_LIMIT + 1
    assert sweep_twice(world, settings) == {"EndInstance": 1}
    assert (lost.row.state, lost.row.failure["error"]) == ("STOPPED", "StartLost")
    assert not task.running
    assert not world.executions[lost.ref.instance_id].running


@pytest.mark.parametrize("draining", [False, True])
def test_an_instance_whose_state_machine_ended_is_ended_and_its_visitors_told(
    world: SimulatedAws, settings: Settings, draining: bool
) -> None:
    lost = Life(world, settings)
    connections.add("c1", lost.ref, "s1", world.now)
    assert not draining or store.drain(lost.ref, world.now)
    world.executions[lost.ref.instance_id].running = False
    world.now += GRACE + 1
    assert sweep_twice(world, settings) == {"EndInstance": 1}
    assert (lost.row.state, lost.row.failure["error"]) == ("STOPPED", "ExecutionLost")
    assert not lost.task.running
    assert [connection for connection, _ in world.posted] == ["c1"]


def test_an_instance_that_was_drained_and_never_stopped_gives_its_slot_back(
    world: SimulatedAws, settings: Settings
) -> None:
    lost = Life(world, settings)
    assert store.drain(lost.ref, world.now)
    world.now += DRAIN_LIMIT + 1
    assert sweep_twice(world, settings) == {"EndInstance": 1}
    assert (lost.row.state, lost.row.failure["error"]) == ("STOPPED", "DrainLost")
    assert not lost.task.running


def test_an_instance_whose_task_ended_without_an_event_is_ended(
    world: SimulatedAws, settings: Settings
) -> None:
    lost = Life(world, settings)
    lost.task.running = False
    world.now += GRACE + 1
    assert sweep_twice(world, settings) == {"EndInstance": 1}
    assert (lost.row.state, lost.row.failure["error"]) == ("STOPPED", "TaskDied")
    assert not world.executions[lost.ref.instance_id].running


def test_leaked_tasks_are_stopped(world: SimulatedAws, settings: Settings) -> None:
    well = Life(world, settings)
    earlier_attempt = world.run_task_of(well.ref, "older-token")
    no_row = world.run_task_of(InstanceRef("0123456789ab.v", 7, "feedfeedfeedfeed"), "token")
    stopped = Life(world, settings, 1)
    store.mark_stopped(stopped.ref, None, world.now)
    assert sweep_twice(world, settings) == {}, "they are young"
    world.now += GRACE + 1
    assert sweep_twice(world, settings) == {"StopTask": 3}
    assert world.running_tasks() == [well.task.arn]
    assert not (earlier_attempt.running or no_row.running or stopped.task.running)


def test_a_build_is_no_instances_task(
    world: SimulatedAws, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = world.run_task_of(InstanceRef("x", 0, "y"), "build-token")
    build.instance = ""
    world.now += 10 * GRACE
    assert sweep_twice(world, settings) == {}


def test_an_instance_of_an_archived_app_that_slipped_through_is_ended(
    world: SimulatedAws, settings: Settings
) -> None:
    apps.ensure("/hello", 1.0)
    slipped = Life(world, settings)
    life.archive("/hello", world.now)
    assert sweep_twice(world, settings) == {"EndInstance": 1}
    assert slipped.row.state == "STOPPED"


def test_places_in_queues_that_nobody_keeps_are_removed(
    world: SimulatedAws, settings: Settings
) -> None:
    queue.take("0123456789ab.v", "00000000000001-a", world.now - 200)
    queue.take("0123456789ab.v", "00000000000002-b", world.now)
    assert sweep_twice(world, settings) == {"QueuePlace": 1}
    assert [row.place for row in QueuePlace.scan()] == ["00000000000002-b"]


def test_a_repair_that_came_too_late_changes_nothing(
    world: SimulatedAws, settings: Settings
) -> None:
    asleep = Life(world, settings)
    as_read = asleep.row
    assert store.drain(asleep.ref, world.now)
    failure = {"error": "ExecutionLost", "cause": ""}
    assert not ending.end(as_read, failure, "", settings, world.clock, (InstanceState.READY,))
    assert asleep.task.running
    assert asleep.row.state == "DRAINING"


NOW = 1_000_000.0
refs = st.builds(lambda n: InstanceRef("a.v", n, f"id{n}"), st.integers(0, 4))
times = st.sampled_from([NOW - START_LIMIT - 1, NOW - GRACE - 1, NOW - 1])
rows = st.lists(
    st.builds(
        SeenInstance, refs, st.sampled_from(list(InstanceState)), st.sampled_from(["/a", "/b"]), st.just("small"), times,  # noqa: E501
        st.none() | times, st.sampled_from(["", "task/0", "task/1"]),
    ),
    unique_by=lambda row: row.ref.instance_id,
)  # fmt: skip
tasks = st.lists(
    st.builds(SeenTask, st.sampled_from([f"task/{n}" for n in range(4)]), refs, times),
    unique_by=lambda task: task.arn,
)


@given(rows, st.sets(st.sampled_from([f"id{n}" for n in range(5)])), tasks, st.sets(st.just("/a")))
def test_no_repair_hurts_what_is_well(
    rows: list[SeenInstance], executions: set[str], tasks: list[SeenTask], archived: set[str]
) -> None:
    by_id = {row.ref.instance_id: row for row in rows}
    arns = {task.arn for task in tasks}
    for repair in repairs(rows, executions, tasks, archived, NOW):
        match repair:
            case EndInstance(ref, state, _error, _cause):
                row = by_id[ref.instance_id]
                assert row.state == state != InstanceState.STOPPED
                well = (
                    row.app not in archived
                    and ref.instance_id in executions
                    and (row.state != InstanceState.STARTING or NOW - row.claimed_at <= START_LIMIT)
                    and row.state != InstanceState.DRAINING
                    and (
                        not row.task
                        or row.task in arns
                        or row.ready_at is None
                        or NOW - row.ready_at <= GRACE
                    )
                )
                assert not well
            case StartAgain(ref, _size):
                assert ref.instance_id not in executions
                assert by_id[ref.instance_id].state == InstanceState.STARTING
            case StopTask(arn, ref):
                assert is_leaked(arn, by_id.get(ref.instance_id))
    ended = [
        repair.ref
        for repair in repairs(rows, executions, tasks, archived, NOW)
        if isinstance(repair, EndInstance | StartAgain)
    ]
    assert len(ended) == len(set(ended))
