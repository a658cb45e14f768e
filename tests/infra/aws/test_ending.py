"""What runs is ended before a deployment is taken down."""

from collections.abc import Iterator
from typing import Any

import pytest

from infra.aws.ending import PATIENCE_SECONDS, end_work, wait_for_interfaces
from infra.aws.errors import DeployError
from infra.declared import DECLARED, Place
from infra.local.place import local_place
from infra.local.settings import LocalSettings

PLACE: Place = local_place(LocalSettings())


class Running:
    """Step Functions, ECS and EC2 with some things that run, and take some looks to be gone."""

    def __init__(self, looks: int) -> None:
        self.looks = looks
        self.executions = [f"{PLACE.state_machine_arn('instance')}:1", f"{PLACE.state_machine_arn('instance')}:2"]
        self.stopped: list[str] = []
        self.slept = 0.0

    def get_paginator(self, operation: str) -> Any:
        return type("Pages", (), {"paginate": lambda _self, **given: getattr(self, operation)(**given)})()

    def list_executions(self, **given: str) -> Iterator[dict[str, Any]]:
        assert given["statusFilter"] == "RUNNING"
        yield {"executions": [{"executionArn": one} for one in self.executions if one.startswith(given["stateMachineArn"] + ":")]}

    def stop_execution(self, **given: str) -> None:
        self.stopped.append(given["executionArn"])

    def list_tasks(self, **given: str) -> Iterator[dict[str, Any]]:
        assert given["cluster"] == PLACE.cluster
        self.looks -= 1
        yield {"taskArns": ["task"] if self.looks >= 0 else []}

    def stop_task(self, **given: str) -> None:
        self.stopped.append(given["task"])

    def describe_network_interfaces(self, **_given: Any) -> dict[str, Any]:
        self.looks -= 1
        return {"NetworkInterfaces": ["one"] if self.looks >= 0 else []}

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


def test_executions_and_tasks_are_stopped_and_waited_for() -> None:
    running, said = Running(looks=2), list[str]()
    end_work(running, running, DECLARED, PLACE, said.append, running.sleep)
    assert running.stopped == [*running.executions, "task", "task"]
    assert said == ["  1 tasks are still running"] * 2


def test_the_network_stays_until_lambda_has_given_its_interfaces_back() -> None:
    running, said = Running(looks=3), list[str]()
    wait_for_interfaces(running, "sg-1", said.append, running.sleep)
    assert running.slept == 90 and "forty minutes" in said[0]


def test_what_does_not_end_is_told() -> None:
    running = Running(looks=10**6)
    with pytest.raises(DeployError, match="there are still network interfaces in the security group sg-1 after 45 minutes"):
        wait_for_interfaces(running, "sg-1", lambda _line: None, running.sleep)
    assert running.slept == PATIENCE_SECONDS
