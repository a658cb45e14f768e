"""Spare instances: bound to one app by one visitor, or not at all; and everything that ends them
ends both rows.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.agents.client import AgentClient
from chalicelib.aws import clients
from chalicelib.aws.streams import ItemChange
from chalicelib.configuration.app_settings import SIZES, AppSettings
from chalicelib.configuration.deployment import Settings
from chalicelib.instances import spares, store
from chalicelib.instances.model import Instance, InstanceRef
from chalicelib.lives import deaths, pool, starts, steps, sweep
from chalicelib.lives.watch import watch
from chalicelib.scheduler.seating import Scheduler, Seated, Starting
from chalicelib.sessions.connections import store as connections
from tests.chalicelib.simulated_aws import SimulatedAws
from tests.chalicelib.standin_agent import Say, StandinAgent

VERSION = "0123456789ab.20261120T133144Z-3f9a"
pytestmark = pytest.mark.usefixtures("dynamodb_calls")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> SimulatedAws:
    made = SimulatedAws()
    monkeypatch.setattr(clients, "client", made.client)
    return made


@pytest.fixture
def settings() -> Settings:
    plain = Settings.from_environment()
    return Settings(
        plain.bucket, plain.table_prefix, plain.websocket_url, plain.instance_state_machine, plain.cluster, plain.connections_url,  # noqa: E501
        spares="large=2",
    )  # fmt: skip


def ready(
    world: SimulatedAws, settings: Settings, size: str = "large", address: str = "10.0.0.1:8080"
) -> Instance:
    spare = spares.claim(size, world.now)
    starts.start(starts.Start(spare.ref, size), settings.instance_state_machine, world.now)
    task = world.run_task_of(spare.ref, "start-token")
    return store.mark_ready(spare.ref, address, "watch-token", world.now, task.arn)


def bound(world: SimulatedAws, settings: Settings, address: str = "10.0.0.1:8080") -> Instance:
    ready(world, settings, address=address)
    outcome = Scheduler(world.clock, {"large"}).seat(VERSION, "/hello", AppSettings(), "visitor")
    assert isinstance(outcome, Seated)
    return outcome.instance


def states(instance: Instance) -> tuple[str, str]:
    rows = [store.get(ref) for ref in spares.both(instance)]
    return str(getattr(rows[0], "state", None)), str(getattr(rows[1], "state", None))


def test_the_first_visitor_has_a_seat_in_the_spare_at_once(
    world: SimulatedAws, settings: Settings
) -> None:
    spare = ready(world, settings)
    outcome = Scheduler(world.clock, {"large"}).seat(
        VERSION, "/hello", AppSettings(simple_scheduler=7), "visitor"
    )
    assert isinstance(outcome, Seated)
    row = store.in_slot(VERSION, 0)
    assert row is not None
    assert (row.instance_id, row.secret, row.address, row.task) == (
        spare.instance_id,
        spare.secret,
        spare.address,
        spare.task,
    )
    assert (row.state, row.app, row.capacity, list(store.seats_of(row))) == (
        "READY",
        "/hello",
        7,
        ["visitor"],
    )
    again = Scheduler(world.clock, {"large"}).seat(
        VERSION, "/hello", AppSettings(simple_scheduler=7), "second"
    )
    assert isinstance(again, Seated)
    assert again.instance.instance_id == spare.instance_id
    assert spares.rows_of(spare.ref) == [row.ref, spare.ref] == spares.both(row)


def test_start_count_counts_the_spare_too_and_only_when_a_visit_wakes_the_app(
    world: SimulatedAws, settings: Settings
) -> None:
    ready(world, settings)
    app = AppSettings(max_instances=4, start_count=3)

    def visit(session: str) -> list[str]:
        assert isinstance(
            Scheduler(world.clock, {"large"}).seat(VERSION, "/hello", app, session), Seated
        )
        return [row.state for row in store.of_version(VERSION)]

    assert visit("first") == ["READY", "STARTING", "STARTING"]
    assert visit("second") == ["READY", "STARTING", "STARTING"]
    for row in store.of_version(VERSION)[1:]:
        store.mark_stopped(row.ref, None, world.now)
    assert visit("third") == ["READY", "STOPPED", "STOPPED"]


def test_an_app_of_another_size_and_one_without_spares_start_as_ever(
    world: SimulatedAws, settings: Settings
) -> None:
    ready(world, settings)
    outcome = Scheduler(world.clock, {"large"}).seat(
        VERSION, "/hello", AppSettings(size="small"), "visitor"
    )
    assert isinstance(outcome, Starting)
    outcome = Scheduler(world.clock).seat("0123456789ab.other", "/hello", AppSettings(), "visitor")
    assert isinstance(outcome, Starting)


def test_many_first_visitors_of_many_apps_share_the_spares_without_a_doubt(
    world: SimulatedAws, settings: Settings
) -> None:
    for _ in range(3):
        ready(world, settings)

    def visit(n: int) -> Any:
        return Scheduler(world.clock, {"large"}).seat(
            f"0123456789ab.v{n % 5}", f"/{n % 5}", AppSettings(), f"visitor-{n}"
        )

    with ThreadPoolExecutor(20) as visitors:
        outcomes = list(visitors.map(visit, range(20)))
    rows = [row for row in store.everywhere() if not spares.is_spare(row.version_id)]
    assert len(rows) == 5
    was = [row.was_spare for row in rows if row.was_spare]
    assert 1 <= len(was) == len(set(was)) <= 3
    assert len({row.instance_id for row in rows}) == 5
    assert all(isinstance(outcome, Seated | Starting) for outcome in outcomes)
    for row in rows:
        assert (
            spares.both(row) == [row.ref]
            if not row.was_spare
            else spares.rows_of(spares.both(row)[1]) == spares.both(row)
        )


def test_its_state_machine_serves_the_apps_row(
    world: SimulatedAws, settings: Settings, agent: StandinAgent
) -> None:
    agent.answer = lambda got: Say(204, body=b"")
    instance = bound(world, settings, agent.address)
    spare = InstanceRef.parse(str(instance.was_spare))
    assert steps.drain({"instance": str(spare)}, world.clock) == {"drained": False}
    event = {
        "instance": str(spare),
        "address": agent.address,
        "task": str(instance.task),
        "token": "newer",
    }
    watch(event, AgentClient(), world.clock)  # type: ignore[arg-type]
    assert [getattr(store.get(ref), "token", None) for ref in spares.both(instance)] == [
        "newer",
        "newer",
    ]
    store.give_back(instance.ref, "visitor")
    assert steps.drain({"instance": str(spare)}, world.clock) == {"drained": True}
    assert steps.stop({"instance": str(spare)}, settings.cluster, world.clock) == {"tasks": 1}
    assert states(instance) == ("STOPPED", "STOPPED")
    assert world.running_tasks() == []


def test_when_its_machine_fails_or_its_task_dies_the_apps_visitors_are_told(
    world: SimulatedAws, settings: Settings
) -> None:
    for fails in (True, False):
        world.posted.clear()
        instance = bound(world, settings)
        connections.add("c1", instance.ref, "visitor", world.now)
        if fails:
            error = {"Error": "States.HeartbeatTimeout", "Cause": ""}
            steps.fail(
                {"instance": instance.was_spare, "error": error},
                settings.cluster,
                "https://x.example",
                world.clock,
            )
        else:
            deaths.on_task_stopped(
                world.tasks[str(instance.task)].detail(),
                settings.cluster,
                "https://x.example",
                world.clock,
            )
        assert states(instance) == ("STOPPED", "STOPPED")
        assert [connection for connection, _ in world.posted] == ["c1"]


def test_a_free_spare_is_not_drained_while_an_app_takes_it(
    world: SimulatedAws, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    spare = ready(world, settings)
    as_read = store.get

    def read_before(ref: InstanceRef) -> Instance | None:
        row = as_read(ref)
        if ref == spare.ref and not getattr(row, "bound_to", None):
            made = spares.bind(
                spare,
                VERSION,
                0,
                app="/hello",
                capacity=1,
                session_id="v",
                lease=world.now + 45,
                now=world.now,
                seen=None,
            )
            assert made is not None
        return row

    monkeypatch.setattr(store, "get", read_before)
    assert not store.drain(spare.ref, world.now)
    row = store.in_slot(VERSION, 0)
    assert row is not None
    assert row.state == "READY"


def test_the_pool_is_filled_refilled_and_made_smaller(
    world: SimulatedAws, settings: Settings
) -> None:
    assert sweep.sweep(settings, world.clock) == {"Spare": 2}
    rows = spares.in_pool("large")
    assert [row.state for row in rows] == ["STARTING", "STARTING"]
    for row in rows:
        starts.start(starts.Start(row.ref, "large"), settings.instance_state_machine, world.now)
        task = world.run_task_of(row.ref, "token")
        store.mark_ready(row.ref, "10.0.0.1:8080", "watch-token", world.now, task.arn)
    assert sweep.sweep(settings, world.clock) == {}
    outcome = Scheduler(world.clock, {"large"}).seat(VERSION, "/hello", AppSettings(), "visitor")
    assert isinstance(outcome, Seated)
    world.now += 10_000
    store.renew(outcome.instance.ref, {"visitor": world.now + 180})
    assert pool.refill({"large": 2}, world.now) == 1
    assert pool.refill({"large": 2}, world.now) == 0
    (third,) = [row for row in spares.in_pool("large") if row.state == "STARTING"]
    starts.start(starts.Start(third.ref, "large"), settings.instance_state_machine, world.now)
    task = world.run_task_of(third.ref, "token")
    store.mark_ready(third.ref, "10.0.0.1:8080", "watch-token", world.now, task.arn)
    fewer = Settings(
        **{**{name: getattr(settings, name) for name in settings.__slots__}, "spares": ""}
    )
    assert sweep.sweep(fewer, world.clock) == {"SpareTooMany": 2}
    assert sweep.sweep(fewer, world.clock) == {}
    assert {row.state for row in spares.in_pool("large")} == {"READY", "STOPPED"}
    world.now += 601
    store.renew(outcome.instance.ref, {"visitor": world.now + 180})
    assert sweep.sweep(fewer, world.clock) == {}
    assert [row.state for row in spares.in_pool("large")] == ["READY"], (
        "the bound one's; what has stopped is forgotten"
    )
    living = [row for row in store.everywhere() if row.state == "READY"]
    assert {row.instance_id for row in living} == {outcome.instance.instance_id}
    assert world.running_tasks() == [outcome.instance.task]


def test_a_spare_that_cannot_start_is_not_started_over_and_over(
    world: SimulatedAws, settings: Settings
) -> None:
    assert pool.refill({"large": 1}, world.now) == 1
    (row,) = spares.in_pool("large")
    store.mark_stopped(row.ref, {"error": "TaskDied", "cause": ""}, world.now)
    assert pool.refill({"large": 1}, world.now + 5) == 0
    assert pool.refill({"large": 1}, world.now + 100) == 1


def test_what_leaves_the_pool_is_read_from_the_stream() -> None:
    image = {"version_id": {"S": "spare.small"}, "state": {"S": "READY"}, "size": {"S": "small"}}
    bound_image = {**image, "bound_to": {"S": "a.v/0/i"}}

    def record(new: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
        return {"eventName": "MODIFY", "dynamodb": {"NewImage": new, "OldImage": old}}

    assert pool.left(ItemChange.of(record(bound_image, image))) == "small"
    assert pool.left(ItemChange.of(record(bound_image, bound_image))) is None
    assert pool.left(ItemChange.of(record({**image, "state": {"S": "STOPPED"}}, image))) == "small"
    assert pool.left(ItemChange.of(record(image, {**image, "state": {"S": "STARTING"}}))) is None
    assert (
        pool.left(ItemChange.of(record({**bound_image, "version_id": {"S": "a.v"}}, image))) is None
    )


@given(st.dictionaries(st.sampled_from(SIZES), st.integers(0, pool.MOST)))
def test_the_setting_is_read_as_it_is_written(wanted: dict[str, int]) -> None:
    assert pool.parse(",".join(f"{size}={number}" for size, number in wanted.items())) == wanted


@pytest.mark.parametrize(
    "text", ["large", "large=", "large=-1", "huge=1", "large=99", "large=1;small=1"]
)
def test_a_wrong_setting_says_how_it_is_written(text: str) -> None:
    with pytest.raises(pool.BadSpares, match="large=1,small=2"):
        pool.parse(text)
