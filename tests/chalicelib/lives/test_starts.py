"""Claimed instances are started from the stream: each once, and none holds up another."""

from collections import Counter
from typing import Any

import pytest

from chalicelib.aws import clients
from chalicelib.aws.streams import ItemChange
from chalicelib.configuration.deployment import Settings
from chalicelib.instances import store
from chalicelib.instances.model import Instance, InstanceRef
from chalicelib.lives import starts
from tests.chalicelib.simulated_aws import SimulatedAws, refusal


class Refusing(SimulatedAws):
    """Step Functions that refuse some executions."""

    refused: dict[str, str]

    def start_execution(self, **given: str) -> None:
        code = self.refused.get(given["name"])
        if code is not None:
            raise refusal(code)
        super().start_execution(**given)


@pytest.fixture
def world(dynamodb_calls: Counter[str], monkeypatch: pytest.MonkeyPatch) -> Refusing:
    made = Refusing()
    made.refused = {}
    monkeypatch.setattr(clients, "client", made.client)
    return made


def claim(world: Refusing, number: int) -> Instance:
    claimed = store.claim("a.v", number, app="/a", capacity=1, now=world.now, size="small")
    assert claimed is not None
    return claimed


def record(ref: InstanceRef) -> dict[str, Any]:
    new = {
        "version_id": {"S": ref.version_id},
        "slot": {"N": str(ref.slot)},
        "instance_id": {"S": ref.instance_id},
        "state": {"S": "STARTING"},
        "size": {"S": "small"},
    }
    about = {"NewImage": new, "SequenceNumber": ref.instance_id}
    return {"eventName": "INSERT", "dynamodb": about}


def test_a_claim_is_read_from_the_stream_once() -> None:
    new = {
        "version_id": {"S": "a.v"},
        "slot": {"N": "0"},
        "instance_id": {"S": "i1"},
        "state": {"S": "STARTING"},
        "size": {"S": "small"},
    }
    record = {"eventName": "INSERT", "dynamodb": {"NewImage": new}}
    assert starts.newly_claimed(ItemChange.of(record)) == (("a.v", 0, "i1"), "small")
    moved = {
        "eventName": "MODIFY",
        "dynamodb": {"NewImage": {**new, "phase": {"S": "R"}}, "OldImage": new},
    }
    assert starts.newly_claimed(ItemChange.of(moved)) is None
    again = {
        "eventName": "MODIFY",
        "dynamodb": {"NewImage": {**new, "instance_id": {"S": "i2"}}, "OldImage": new},
    }
    assert starts.newly_claimed(ItemChange.of(again)) == (("a.v", 0, "i2"), "small")
    ready = {
        "eventName": "MODIFY",
        "dynamodb": {"NewImage": {**new, "state": {"S": "READY"}}, "OldImage": new},
    }
    assert starts.newly_claimed(ItemChange.of(ready)) is None
    assert (
        starts.newly_claimed(ItemChange.of({"eventName": "REMOVE", "dynamodb": {"OldImage": new}}))
        is None
    )


def test_each_claim_is_started_once_and_none_holds_up_another(world: Refusing) -> None:
    rows = [claim(world, number) for number in range(3)]
    settings = Settings.from_environment()
    world.refused = {
        rows[0].instance_id: "ThrottlingException",
        rows[1].instance_id: "InvalidExecutionInput",
    }
    records = [record(row.ref) for row in rows]
    poison = {"eventName": "INSERT", "dynamodb": {"NewImage": {"state": {"S": "STARTING"}}}}
    accepted = starts.on_change([poison, *records], settings, world.now)
    assert accepted == {"batchItemFailures": [{"itemIdentifier": rows[0].instance_id}]}
    assert list(world.executions) == [rows[2].instance_id]
    never = store.get(rows[1].ref)
    assert never is not None
    assert (never.state, never.failure["error"]) == ("STOPPED", "InvalidExecutionInput")
    world.refused = {}
    again = [records[0], records[2]]
    assert starts.on_change(again, settings, world.now) == {"batchItemFailures": []}
    assert list(world.executions) == [rows[2].instance_id, rows[0].instance_id]
