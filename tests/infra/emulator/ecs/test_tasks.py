"""ECS: a task is a process group with an address, credentials and a life of its own."""

import json
import os
import signal
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.infra.emulator.ecs.tiny_tasks import (
    CLUSTER,
    describe,
    ended,
    log_of,
    run,
    run_task,
    said,
)
from tests.infra.tiny_process import TinyStack
from tests.support.waiting import until


def test_a_task_runs_with_an_address_of_its_own_until_stopped(tiny: TinyStack) -> None:
    task = run(tiny, "wait", startedBy="test-1", enableExecuteCommand=True)
    assert task["enableExecuteCommand"] is True
    assert task["lastStatus"] in ("PROVISIONING", "PENDING", "RUNNING")
    said(tiny, task["taskArn"], "doing wait")
    running = describe(tiny, task["taskArn"])
    assert running["lastStatus"] == "RUNNING"
    assert running["containers"][0]["networkInterfaces"][0]["privateIpv4Address"].startswith(
        "127.77."
    )
    ecs = tiny.client("ecs")
    assert ecs.list_tasks(cluster=CLUSTER, startedBy="test-1")["taskArns"] == [task["taskArn"]]
    ecs.stop_task(cluster=CLUSTER, task=task["taskArn"], reason="enough")
    stopped = ended(tiny, task["taskArn"])
    assert (stopped["stoppedReason"], stopped["stopCode"]) == ("enough", "UserInitiated")
    assert stopped["containers"][0]["exitCode"] == 143
    assert ecs.list_tasks(cluster=CLUSTER, startedBy="test-1")["taskArns"] == []
    event = until(
        lambda: [n for n in tiny.notes("task") if n["detail"]["taskArn"] == task["taskArn"]],
        what="the event",
    )[0]
    assert event["detail"]["stoppedReason"] == "enough"
    assert event["detail"]["startedBy"] == "test-1"
    assert event["detail"]["overrides"]["containerOverrides"][0]["environment"] == [
        {"name": "A", "value": "b"}
    ]


def test_a_task_has_its_definitions_tags_when_they_are_asked_for(tiny: TinyStack) -> None:
    def tags(**more: Any) -> dict[str, str]:
        return {tag["key"]: tag["value"] for tag in run(tiny, "exit", **more)["tags"]}

    assert tags() == {}
    assert tags(propagateTags="TASK_DEFINITION", tags=[{"key": "of", "value": "its own"}]) == {
        "application": "tiny",
        "stage": "local",
        "of": "its own",
    }
    with pytest.raises(ClientError, match="no service runs"):
        run(tiny, "exit", propagateTags="SERVICE")


def test_the_same_client_token_starts_one_task(tiny: TinyStack) -> None:
    token = uuid.uuid4().hex
    before = tiny.counters()["run_tasks"]
    arns = {run(tiny, "exit", clientToken=token)["taskArn"] for _ in range(5)}
    assert len(arns) == 1
    assert tiny.counters()["run_tasks"] == before + 1


def test_when_there_is_no_room_no_task_starts_and_the_answer_is_no_error(tiny: TinyStack) -> None:
    before = tiny.counters()["run_tasks"]
    tiny.control("/faults", {"no_capacity": 1.0})
    answer = run_task(tiny, "exit")
    tiny.control("/faults", {})
    assert (answer["tasks"], [failure["reason"][:23] for failure in answer["failures"]]) == (
        [],
        ["Capacity is unavailable"],
    )
    assert tiny.counters()["run_tasks"] == before
    assert run(tiny, "exit")["taskArn"]


def test_who_started_a_task_is_asked_for_alone(tiny: TinyStack) -> None:
    with pytest.raises(ClientError, match="startedBy"):
        tiny.client("ecs").list_tasks(cluster=CLUSTER, startedBy="test-1", desiredStatus="RUNNING")


def test_a_task_that_ends_by_itself_tells_its_exit_code(tiny: TinyStack) -> None:
    stopped = ended(tiny, run(tiny, "exit")["taskArn"])
    assert stopped["containers"][0]["exitCode"] == 7
    assert (stopped["stopCode"], stopped["desiredStatus"]) == (
        "EssentialContainerExited",
        "STOPPED",
    )


def test_a_task_that_ignores_sigterm_is_killed_at_its_stop_timeout(tiny: TinyStack) -> None:
    task = run(tiny, "stubborn")
    said(tiny, task["taskArn"], "doing stubborn")
    tiny.client("ecs").stop_task(cluster=CLUSTER, task=task["taskArn"])
    stopped = ended(tiny, task["taskArn"])
    assert stopped["containers"][0]["exitCode"] == 137
    seconds = (stopped["stoppedAt"] - stopped["stoppingAt"]).total_seconds()
    assert 1.9 < seconds < 25, "its own timeout is 2 s, and that of ECS 30 s"


def test_a_stopped_task_leaves_no_process_behind(tiny: TinyStack) -> None:
    task = run(tiny, "family")
    said(tiny, task["taskArn"], "doing family")
    until(_sleepers, what="the task's own child")
    tiny.client("ecs").stop_task(cluster=CLUSTER, task=task["taskArn"])
    ended(tiny, task["taskArn"])
    assert not _sleepers()


def test_a_task_killed_from_outside_is_noticed(tiny: TinyStack) -> None:
    task = run(tiny, "family")
    said(tiny, task["taskArn"], "doing family")
    os.kill(_main_of(tiny), signal.SIGKILL)
    assert ended(tiny, task["taskArn"])["containers"][0]["exitCode"] == 137
    assert not _sleepers()


def test_a_task_has_its_own_environment_and_credentials_only(tiny: TinyStack) -> None:
    task = run(tiny, "environment")
    assert ended(tiny, task["taskArn"])["containers"][0]["exitCode"] == 0
    variables, account = (
        json.loads(line) for line in log_of(tiny, task["taskArn"]).read_text().splitlines()
    )
    assert account == "123456789012"
    assert variables["TINY"] == "1" and variables["A"] == "b"
    assert (
        not {"HOME", "SHEEN_DATA", "SHEEN_PORT", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
        & variables.keys()
    )
    assert variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"].startswith("http://127.0.0.1:")


def test_ecs_refuses_what_it_refuses_on_aws(tiny: TinyStack) -> None:
    ecs = tiny.client("ecs")
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
    with pytest.raises(ecs.exceptions.ClusterNotFoundException):
        ecs.run_task(
            cluster="nowhere", taskDefinition="tiny-local-worker", networkConfiguration=network
        )
    with pytest.raises(ecs.exceptions.ClientException, match="Unable to find task definition"):
        ecs.run_task(cluster=CLUSTER, taskDefinition="nothing", networkConfiguration=network)
    with pytest.raises(ecs.exceptions.InvalidParameterException, match="Network Configuration"):
        ecs.run_task(cluster=CLUSTER, taskDefinition="tiny-local-worker")
    with pytest.raises(ecs.exceptions.InvalidParameterException, match="not found"):
        ecs.stop_task(cluster=CLUSTER, task="nobody")
    assert (
        ecs.describe_tasks(cluster=CLUSTER, tasks=["nobody"])["failures"][0]["reason"] == "MISSING"
    )


def _processes(*words: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                arguments = (entry / "cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
            if arguments[: len(words)] == list(words):
                found.append(int(entry.name))
    return found


def _sleepers() -> list[int]:
    return _processes("sleep", "1000077")


def _main_of(tiny: TinyStack) -> int:
    return _processes(sys.executable, str(tiny.project / "task.py"), "family")[0]
