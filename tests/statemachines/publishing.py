"""Publishing by the very machines that AWS gets, with the real tasks in between."""

import json
import os
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3

from tasks import build, remove
from tests.chalicelib.aws_in_process import BUCKET, ENVIRONMENT
from tests.statemachines.services import state_machine
from tests.support.archives import bundle

_sequence = iter(range(1, 1000))


def environment_of(task: dict[str, Any], efs: Path) -> dict[str, str]:
    """What a task gets that was started with these parameters."""
    (container,) = task["overrides"]["containerOverrides"]
    return {
        **ENVIRONMENT,
        "SHEEN_EFS": str(efs),
        **{v["name"]: v["value"] for v in container["environment"]},
    }


def run_task(task: dict[str, Any], efs: Path) -> int:
    """Run the task that was asked for, in this thread; return its exit code."""
    main = remove.main if "remove" in task["taskDefinition"].lower() else build.main
    return main(environment_of(task, efs))


def died(task: dict[str, Any]) -> None:
    """Say of a task that it has died, as the function does that hears of it."""
    token = environment_of(task, Path())["SHEEN_TASK_TOKEN"]
    client = boto3.client("stepfunctions")
    with suppress(client.exceptions.TaskTimedOut):  # it had answered before it died
        client.send_task_failure(
            taskToken=token, error="TaskDied", cause="OutOfMemory (exit code 137)"
        )


APP = bundle({"app.R": b"1"})


def uploaded(key: str, data: bytes = APP) -> dict[str, Any]:
    """Upload, and return the event."""
    etag = boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=data)["ETag"].strip('"')
    number = next(_sequence)
    detail = {
        "bucket": {"name": BUCKET},
        "object": {"key": key, "size": len(data), "etag": etag, "sequencer": f"{number:016X}"},
    }
    return {
        "time": f"2026-11-20T13:{number // 60:02}:{number % 60:02}Z",
        "detail-type": "Object Created",
        "detail": detail,
    }


def start(document: dict[str, Any], machine: str) -> str:
    client = boto3.client("stepfunctions")
    return str(
        client.start_execution(
            stateMachineArn=machine, name=str(uuid.uuid4()), input=json.dumps(document)
        )["executionArn"]
    )


def ended(execution: str, within: float = 40) -> str:
    """Wait for an execution's end; return its status."""
    end = time.monotonic() + within
    while True:
        status = str(
            boto3.client("stepfunctions").describe_execution(executionArn=execution)["status"]
        )
        if status != "RUNNING":
            return status
        assert time.monotonic() < end, boto3.client("stepfunctions").get_execution_history(
            executionArn=execution
        )["events"][-3:]
        time.sleep(0.05)


def run(event: dict[str, Any], machine: str | None = None) -> str:
    """Publish, and return how the execution ended."""
    return ended(start(event, machine or state_machine("publish")))


def tidying(publish: str) -> str:
    """The execution that an execution of the publishing machine has started, to tidy."""
    client = boto3.client("stepfunctions")
    machine = client.describe_execution(executionArn=publish)["stateMachineArn"]
    text = client.describe_state_machine(stateMachineArn=machine)["definition"]
    tidy = str(json.loads(text)["States"]["Tidy"]["Parameters"]["StateMachineArn"])
    name = publish.rpartition(":")[2]
    return f"{tidy.replace(':stateMachine:', ':execution:')}:{name}"


def outcome(key: str) -> dict[str, str]:
    body = (
        boto3.client("s3")
        .get_object(Bucket=BUCKET, Key=f"outcomes/{key.removeprefix('bundles/')}.json")["Body"]
        .read()
    )
    read: dict[str, str] = json.loads(body)
    return read


def versions_on(efs: Path, app_id: str) -> set[str]:
    """The versions whose files are there."""
    return {name for name in os.listdir(efs / "apps" / app_id) if not name.endswith(".library")}  # noqa: PTH208


def kept_copies(app_id: str) -> set[str]:
    """The versions of which there is a copy of the bundle."""
    found = boto3.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=f"versions/{app_id}/")
    return {entry["Key"].split("/")[2] for entry in found.get("Contents", [])}
