"""A sync's run by the very machine that AWS gets: repeated, followed, stopped and given up; only
DataSync and the task stand in.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
import pytest

from chalicelib.aws import clients
from chalicelib.syncs import decision, requests, runs, store
from chalicelib.syncs.model import RunStatus, SyncRun, Way
from sheen import sync as command
from tests.chalicelib.aws_in_process import BUCKET
from tests.statemachines.publishing import ended, environment_of
from tests.statemachines.services import Services, services, state_machine
from tests.support.waiting import until

ARN = "arn:aws:datasync:us-east-1:123456789012"


class DataSync:
    """Executions end as a test says; what nobody says runs on."""

    def __init__(self) -> None:
        self.ends: list[dict[str, Any]] = []
        """How the next executions end."""
        self.executions: dict[str, dict[str, Any]] = {}
        self.there: set[str] = set()
        self.refuse: dict[str, str] = {}
        """Operation → why it is refused."""
        self.started: list[dict[str, Any]] = []

    def __call__(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        if operation in self.refuse:
            return {"__type": "InvalidRequestException", "message": self.refuse[operation]}
        arn = f"{ARN}:{'task/task' if operation == 'CreateTask' else 'location/loc'}-{len(self.there) + 100}"  # noqa: E501
        match operation:
            case "CreateTask":
                self.there.add(arn)
                return {"TaskArn": arn}
            case "CreateLocationS3" | "CreateLocationEfs":
                self.there.add(arn)
                return {"LocationArn": arn}
            case "DescribeTask":
                locations = sorted(each for each in self.there if ":location/" in each)
                return {
                    "TaskArn": given["TaskArn"],
                    "SourceLocationArn": locations[0],
                    "DestinationLocationArn": locations[1],
                }
            case "DeleteTask" | "DeleteLocation":
                self.there.remove(given.get("TaskArn") or given["LocationArn"])
                return {}
            case "StartTaskExecution":
                self.started.append(given)
                execution = f"{given['TaskArn']}/execution/exec-{len(self.started)}"
                self.executions[execution] = (
                    self.ends.pop(0) if self.ends else {"Status": "TRANSFERRING"}
                )
                return {"TaskExecutionArn": execution}
            case "DescribeTaskExecution":
                return self.executions[given["TaskExecutionArn"]]
            case "CancelTaskExecution":
                self.executions[given["TaskExecutionArn"]] = failed("CancelledByUser")
                return {}
        raise AssertionError(operation)


def failed(why: str, **counted: int) -> dict[str, Any]:
    return {"Status": "ERROR", "Result": {"ErrorCode": why, "ErrorDetail": "no"}, **counted}


DONE = {"Status": "SUCCESS", "FilesTransferred": 2}


@pytest.fixture(scope="module")
def aws() -> Iterator[Services]:
    with services() as running:
        topic = boto3.client("sns").create_topic(Name="alarms")["TopicArn"]
        settings = {
            "SHEEN_SYNC_STATE_MACHINE": state_machine("sync"),
            "SHEEN_SYNC_SUBNET": f"{ARN}:subnet/s",
            "SHEEN_SYNC_SECURITY_GROUP": f"{ARN}:security-group/g",
            "SHEEN_FILE_SYSTEM": f"{ARN}:file-system/f",
            "SHEEN_ACCESS_POINT": f"{ARN}:access-point/a",
            "SHEEN_SYNC_ROLE": "arn:aws:iam::123456789012:role/datasync",
            "SHEEN_TOPIC": topic,
        }
        with patch.dict("os.environ", settings), patch.object(decision, "FIRST_PAUSE", 1):
            yield running


@pytest.fixture
def datasync(aws: Services) -> Iterator[DataSync]:
    found = DataSync()
    aws.datasync = found
    aws.run_task = lambda task: clients.client("stepfunctions").send_task_success(
        taskToken=environment_of(task, Path())["SHEEN_TASK_TOKEN"],
        output=json.dumps({"counts": {}, "failures": [], "restart": []}),
    )
    yield found
    aws.fail_functions.clear()
    aws.lose_answers.clear()


def begin(name: str, **settings: Any) -> str:
    """Define a sync, ask for it all, and return its run's execution."""
    definition = store.define(name, {"schedule": "never", **settings}, BUCKET, 1.0)
    requests.ask_for_prefix(definition, "", "asked", 2.0)
    run_id = requests.start(name, Way.TRANSFER, os.environ["SHEEN_SYNC_STATE_MACHINE"], 3.0)
    assert run_id is not None
    arn = os.environ["SHEEN_SYNC_STATE_MACHINE"].replace(":stateMachine:", ":execution:")
    return f"{arn}:{requests.execution_name(name, run_id)}"


def only_run(name: str) -> SyncRun:
    [run] = runs.of(name)
    return run


def is_over(name: str, status: RunStatus) -> bool:
    """It ended so, and nothing is left of it to do."""
    over = not requests.pending(name, Way.TRANSFER) and requests.lease(name, Way.TRANSFER) is None
    return over and only_run(name).status == status


def test_the_folder_is_made_and_a_transfer_that_fails_is_done_again_after_a_pause(
    datasync: DataSync,
) -> None:
    datasync.ends = [failed("X", FilesTransferred=1), DONE]
    assert ended(begin("again")) == "SUCCEEDED"
    assert is_over("again", RunStatus.SUCCEEDED)
    assert (only_run("again").files_copied, len(datasync.started)) == (3, 2)


def test_what_keeps_failing_is_given_up_and_no_other_run_follows(datasync: DataSync) -> None:
    datasync.ends = [failed("X")] * 5
    assert ended(begin("fails", retries=1)) == "FAILED"
    assert is_over("fails", RunStatus.FAILED)
    assert (only_run("fails").message, len(datasync.started)) == ("DataSync: X: no.", 2)


def test_a_bucket_that_may_not_be_read_is_the_reason(datasync: DataSync) -> None:
    datasync.refuse["CreateLocationS3"] = "DataSync location access test failed"
    assert ended(begin("denied", retries=1)) == "FAILED"
    assert is_over("denied", RunStatus.FAILED)
    assert "DataSync location access test failed" in only_run("denied").message


@pytest.mark.parametrize("function", ["sync_step", "sync_follow"])
@pytest.mark.parametrize("fault", ["fail_functions", "lose_answers"])
def test_functions_that_fail_for_a_moment_stop_nothing(
    aws: Services, datasync: DataSync, function: str, fault: str
) -> None:
    name = f"{function}-{fault}".replace("_", "-")
    datasync.ends = [DONE]
    setattr(aws, fault, {function: 2})
    assert ended(begin(name)) == "SUCCEEDED"
    assert is_over(name, RunStatus.SUCCEEDED)
    assert (only_run(name).files_copied, len(datasync.started)) == (2, 1)


def test_a_step_that_fails_for_long_is_a_failure_like_others(
    aws: Services, datasync: DataSync
) -> None:
    datasync.ends = [DONE]
    aws.fail_functions = {"sync_step": 9}
    assert ended(begin("steps"), 60) == "SUCCEEDED"
    assert is_over("steps", RunStatus.SUCCEEDED)


def test_what_hangs_is_stopped_before_it_is_tried_again(datasync: DataSync) -> None:
    execution = begin("hangs", retries=0)
    run = until(
        lambda: next((run for run in runs.of("hangs") if run.token), None), 20, "the transfer"
    )
    boto3.client("stepfunctions").send_task_failure(
        taskToken=run.token, error="Stalled", cause='{"errorMessage": "it hangs"}'
    )
    assert ended(execution) == "FAILED"
    assert only_run("hangs").message == "it hangs."
    assert [found["Status"] for found in datasync.executions.values()] == ["ERROR"]


def test_a_sync_that_is_removed_while_it_runs_ends_and_leaves_nothing(datasync: DataSync) -> None:
    execution = begin("removed")
    until(lambda: next((run for run in runs.of("removed") if run.token), None), 20, "the transfer")
    command.remove("removed")
    assert ended(execution) == "FAILED"
    assert is_over("removed", RunStatus.FAILED)
    assert not datasync.there
