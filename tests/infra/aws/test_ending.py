"""What runs is ended before a deployment is taken down."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.aws.ending import PATIENCE_SECONDS, end_transfers, end_work, wait_for_interfaces
from infra.aws.errors import DeployError
from infra.declared import DECLARED, Place
from infra.local.place import local_place
from infra.local.settings import LocalSettings

PLACE: Place = local_place(LocalSettings())


class Running:
    """Step Functions, ECS and EC2 with some things that run, and take some looks to be gone."""

    def __init__(self, looks: int) -> None:
        self.looks = looks
        self.executions = [
            f"{PLACE.state_machine_arn('instance')}:1",
            f"{PLACE.state_machine_arn('instance')}:2",
        ]
        self.stopped: list[str] = []
        self.slept = 0.0

    def get_paginator(self, operation: str) -> Any:
        return type(
            "Pages", (), {"paginate": lambda _self, **given: getattr(self, operation)(**given)}
        )()

    def list_executions(self, **given: str) -> Iterator[dict[str, Any]]:
        assert given["statusFilter"] == "RUNNING"
        yield {
            "executions": [
                {"executionArn": one}
                for one in self.executions
                if one.startswith(given["stateMachineArn"] + ":")
            ]
        }

    def stop_execution(self, **given: str) -> None:
        self.stopped.append(given["executionArn"])

    def list_tasks(self, **given: str) -> Iterator[dict[str, Any]]:
        assert given["cluster"] == PLACE.cluster
        listed = "STOPPED" if "task" in self.stopped else "RUNNING"
        yield {"taskArns": ["task"] if given["desiredStatus"] == listed else []}

    def describe_tasks(self, **given: Any) -> dict[str, Any]:
        self.looks -= 1
        return {
            "tasks": [
                {"taskArn": task, "lastStatus": "DEPROVISIONING" if self.looks >= 0 else "STOPPED"}
                for task in given["tasks"]
            ]
        }

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


def test_the_network_stays_until_aws_has_given_its_interfaces_back() -> None:
    running, said = Running(looks=3), list[str]()
    wait_for_interfaces(running, ["sg-1", "sg-2"], said.append, running.sleep)
    assert running.slept == 90 and "forty minutes" in said[0]


def test_what_does_not_end_is_told() -> None:
    running = Running(looks=10**6)
    with pytest.raises(
        DeployError,
        match="there are still network interfaces in the security groups sg-1 after 45 minutes",
    ):
        wait_for_interfaces(running, ["sg-1"], lambda _line: None, running.sleep)
    assert running.slept == PATIENCE_SECONDS


class DataSync:
    """Two syncs' tasks, of which one is gone and the other copies; a table that names them, and a
    sync that never ran.
    """

    def __init__(self) -> None:
        self.executions = {"old": "SUCCESS", "copying": "TRANSFERRING"}
        self.calls: list[str] = []

    def get_paginator(self, operation: str) -> Any:
        return type(
            "Pages", (), {"paginate": lambda _self, **given: getattr(self, operation)(**given)}
        )()

    def scan(self, **given: str) -> Iterator[dict[str, Any]]:
        assert given["TableName"] == "sheen-local-syncs"
        yield {"Items": [{"task_arn": {"S": "gone"}}, {}]}
        yield {"Items": [{"task_arn": {"S": "there"}}]}

    def describe_task(self, **given: str) -> dict[str, str]:
        if given["TaskArn"] == "gone":
            raise ClientError(
                {"Error": {"Code": "InvalidRequestException", "Message": "not found"}},
                "DescribeTask",
            )
        return {"SourceLocationArn": "source", "DestinationLocationArn": "target"}

    def list_task_executions(self, **given: str) -> Iterator[dict[str, Any]]:
        assert given["TaskArn"] == "there"
        yield {
            "TaskExecutions": [
                {"TaskExecutionArn": name, "Status": status}
                for name, status in self.executions.items()
            ]
        }

    def cancel_task_execution(self, **given: str) -> None:
        self.calls.append(f"cancel {given['TaskExecutionArn']}")
        if self.executions["copying"] == "CANCELLING":
            raise ClientError(
                {"Error": {"Code": "InvalidRequestException", "Message": "it is being cancelled"}},
                "CancelTaskExecution",
            )
        self.executions["copying"] = "CANCELLING"

    def delete_task(self, **given: str) -> None:
        self.calls.append(f"delete {given['TaskArn']}")

    def delete_location(self, **given: str) -> None:
        self.calls.append(f"delete {given['LocationArn']}")

    def sleep(self, _seconds: float) -> None:
        if self.calls.count("cancel copying") == 2:
            self.executions["copying"] = "ERROR"


def test_what_datasync_has_of_a_deployment_goes_once_it_has_stopped_copying() -> None:
    datasync = DataSync()
    end_transfers(datasync, datasync, "sheen-local-syncs", lambda _line: None, datasync.sleep)
    assert datasync.calls == [
        "cancel copying",
        "cancel copying",
        "delete there",
        "delete source",
        "delete target",
    ]
