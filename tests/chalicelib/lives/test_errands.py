"""Stopping an instance for somebody in the VPC: at once, once, and its visitors know why."""

from collections import Counter
from typing import Any

import pytest

from chalicelib.aws import clients
from chalicelib.configuration.deployment import Settings
from chalicelib.errands.errors import ErrandFailed
from chalicelib.instances import store
from chalicelib.instances.model import Instance
from chalicelib.lives import errands, starts
from chalicelib.scheduler.decision import AFTER_FAILURE
from chalicelib.sessions.connections import store as connections
from tests.chalicelib.simulated_aws import SimulatedAws

WHY = "The operator stopped the app's machine."


@pytest.fixture
def world(dynamodb_calls: Counter[str], monkeypatch: pytest.MonkeyPatch) -> SimulatedAws:
    made = SimulatedAws()
    monkeypatch.setattr(clients, "client", made.client)
    return made


@pytest.fixture
def instance(world: SimulatedAws) -> Instance:
    row = store.claim("a.v", 0, app="/a", capacity=1, now=world.now, size="small")
    assert row is not None
    settings = Settings.from_environment()
    starts.start(starts.Start(row.ref, "small"), settings.instance_state_machine, world.now)
    task = world.run_task_of(row.ref, "t1")
    store.mark_ready(row.ref, "127.0.0.1:1", "t2", world.now, task.arn)
    connections.add("c1", row.ref, "s1", world.now)
    return row


def stop(world: SimulatedAws, **payload: Any) -> bool:
    return errands.stop_instance(payload, Settings.from_environment(), world.clock)


def test_it_is_stopped_once_and_its_visitors_are_told(
    world: SimulatedAws, instance: Instance
) -> None:
    assert stop(world, instance=str(instance.ref), why=WHY)
    row = store.get(instance.ref)
    assert row is not None
    assert row.state == "STOPPED"
    assert row.failure is None, f"or the app would not start again for {AFTER_FAILURE} s"
    assert not any(task.running for task in world.tasks.values())
    assert not any(execution.running for execution in world.executions.values())
    assert [WHY.encode() in told for _, told in world.posted] == [True]
    assert not stop(world, instance=str(instance.ref), why=WHY)


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ({}, '"instance" and "why"'),
        ({"instance": "a.v/0/i", "why": WHY, "more": 1}, "nothing else"),
        ({"instance": 7, "why": WHY}, '"instance" and "why"'),
        ({"instance": "a.v/0/i", "why": ""}, "1 to 200"),
        ({"instance": "a.v/0/i", "why": "x" * 201}, "1 to 200"),
        ({"instance": "a.v", "why": WHY}, "as a row names itself"),
        ({"instance": "a.v/0/gone", "why": WHY}, "There is no instance a.v/0/gone"),
    ],
)
def test_what_it_does_not_understand_is_refused(
    world: SimulatedAws, instance: Instance, payload: dict[str, Any], why: str
) -> None:
    with pytest.raises(ErrandFailed, match=why):
        stop(world, **payload)
    row = store.get(instance.ref)
    assert row is not None
    assert row.state == "READY"
