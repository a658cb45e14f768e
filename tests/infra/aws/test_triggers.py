"""How functions read streams is set while Lambda may still be at work on what Chalice has
changed.
"""

from types import SimpleNamespace
from typing import Any

import pytest

from infra.aws.errors import DeployError
from infra.aws.triggers import ATTEMPTS, set_triggers
from infra.declared import DECLARED, Place
from infra.local.place import local_place
from infra.local.settings import LocalSettings

PLACE: Place = local_place(LocalSettings())


class ResourceInUse(Exception):
    """What Lambda says meanwhile."""


class Lambda:
    """One trigger of each function, which Lambda is at work on for some attempts."""

    exceptions = SimpleNamespace(ResourceInUseException=ResourceInUse)

    def __init__(self, busy: int) -> None:
        self.busy = busy
        self.updated: list[dict[str, Any]] = []
        self.set: dict[str, dict[str, Any]] = {}
        self.slept = 0

    def list_event_source_mappings(self, **given: str) -> dict[str, Any]:
        name = given["FunctionName"]
        return {"EventSourceMappings": [{"UUID": name, **self.set.get(name, {})}]}

    def update_event_source_mapping(self, **given: Any) -> None:
        self.busy -= 1
        if self.busy >= 0:
            raise ResourceInUse
        self.updated.append(given)

    def sleep(self, _seconds: float) -> None:
        self.slept += 1


def test_a_trigger_that_lambda_is_at_work_on_is_tried_again() -> None:
    client = Lambda(busy=2)
    assert set_triggers(client, DECLARED, PLACE, client.sleep) == len(client.updated) > 0
    assert client.slept == 2


def test_a_trigger_that_is_as_declared_is_left_alone_as_an_update_stops_its_reading() -> None:
    client = Lambda(busy=0)
    set_triggers(client, DECLARED, PLACE, client.sleep)
    client.set = {update["UUID"]: {**update, "LastModified": "now"} for update in client.updated}
    client.updated.clear()
    set_triggers(client, DECLARED, PLACE, client.sleep)
    assert client.updated == []


def test_one_that_stays_so_is_told() -> None:
    client = Lambda(busy=10**6)
    with pytest.raises(
        DeployError,
        match=r"Lambda is still at work on the trigger of the function .*on_instance_change",
    ):
        set_triggers(client, DECLARED, PLACE, client.sleep)
    assert client.slept == ATTEMPTS
