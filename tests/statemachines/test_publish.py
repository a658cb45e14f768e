"""A publish by the very machine that AWS gets, with the real build in between."""

import io
import json
import threading
import time
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from chalicelib.apps.model import App
from chalicelib.bundles import store
from tasks import build
from tests.chalicelib.aws_in_process import BUCKET, ENVIRONMENT
from tests.statemachines.services import Services, services, state_machine

_sequence = iter(range(1, 1000))


@pytest.fixture(scope="module")
def aws() -> Iterator[Services]:
    with services() as running:
        yield running


@pytest.fixture
def efs(aws: Services, tmp_path: Path) -> Path:
    aws.fail_functions.clear()

    def run_task(task: dict[str, Any]) -> None:
        (container,) = task["overrides"]["containerOverrides"]
        build.main({**ENVIRONMENT, "SHEEN_EFS": str(tmp_path), **{v["name"]: v["value"] for v in container["environment"]}})

    aws.run_task = run_task
    return tmp_path


def bundle(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def uploaded(key: str, data: bytes) -> dict[str, Any]:
    etag = boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=data)["ETag"].strip('"')
    number = next(_sequence)
    detail = {"bucket": {"name": BUCKET}, "object": {"key": key, "size": len(data), "etag": etag, "sequencer": f"{number:016X}"}}
    return {"time": f"2026-11-20T13:{number // 60:02}:{number % 60:02}Z", "detail-type": "Object Created", "detail": detail}


def run(event: dict[str, Any], machine: str | None = None) -> str:
    client = boto3.client("stepfunctions")
    machine = machine or state_machine("publish")
    arn = client.start_execution(stateMachineArn=machine, name=str(uuid.uuid4()), input=json.dumps(event))["executionArn"]
    end = time.monotonic() + 30
    while True:
        status = str(client.describe_execution(executionArn=arn)["status"])
        if status != "RUNNING":
            return status
        assert time.monotonic() < end
        time.sleep(0.05)


def outcome(key: str) -> dict[str, str]:
    body = boto3.client("s3").get_object(Bucket=BUCKET, Key=f"outcomes/{key.removeprefix('bundles/')}.json")["Body"].read()
    read: dict[str, str] = json.loads(body)
    return read


def test_an_upload_is_published_also_when_steps_fail_at_first(aws: Services, efs: Path) -> None:
    aws.fail_functions = {"publish_register": 1, "publish_activate": 1}
    assert run(uploaded("bundles/hello/a.zip", bundle(**{"app.R": b"1"}))) == "SUCCEEDED"
    app = App.get("/hello")
    assert (efs / "apps" / app.app_id / str(app.active_version) / "app.R").read_bytes() == b"1"
    assert outcome("bundles/hello/a.zip")["status"] == "active"


def test_the_same_event_twice_publishes_once(efs: Path) -> None:
    event = uploaded("bundles/twice/a.zip", bundle(**{"app.R": b"1"}))
    assert (run(event), run(event)) == ("SUCCEEDED", "SUCCEEDED")
    assert len(list((efs / "apps" / App.get("/twice").app_id).iterdir())) == 1


def test_a_bad_bundle_changes_nothing_and_says_why(efs: Path) -> None:
    run(uploaded("bundles/good/a.zip", bundle(**{"app.R": b"1"})))
    active = App.get("/good").active_version
    assert run(uploaded("bundles/good/a.zip", bundle(**{"readme.md": b"1"}))) == "FAILED"
    assert App.get("/good").active_version == active
    told = outcome("bundles/good/a.zip")
    assert told["status"] == "rejected"
    assert told["message"].startswith("bundle a.zip: no app is in it")


def test_a_bad_name_is_rejected_with_its_own_message(efs: Path) -> None:
    assert run(uploaded("bundles/good/a.rar", b"x")) == "FAILED"
    assert outcome("bundles/good/a.rar")["message"] == "bundle a.rar: the name ends neither in .zip nor in .tar.gz; upload one of these"


def test_a_build_that_dies_is_told_as_not_the_bundles_fault(aws: Services, efs: Path) -> None:
    def die(task: dict[str, Any]) -> None:
        (container,) = task["overrides"]["containerOverrides"]
        token = next(v["value"] for v in container["environment"] if v["name"] == "SHEEN_TASK_TOKEN")
        boto3.client("stepfunctions").send_task_failure(taskToken=token, error="TaskDied", cause="OutOfMemory (exit code 137)")

    aws.run_task = die
    assert run(uploaded("bundles/dies/a.zip", bundle(**{"app.R": b"1"}))) == "FAILED"
    row = store.find("bundles/dies/a.zip")
    assert row is not None
    assert row.status == "rejected"
    assert "OutOfMemory" in row.message


def test_uploads_at_once_end_with_the_latest_one_active(efs: Path) -> None:
    events = [uploaded(f"bundles/race/{number}.zip", bundle(**{"app.R": str(number).encode()})) for number in range(3)]
    machine = state_machine("publish")
    threads = [threading.Thread(target=run, args=(event, machine)) for event in reversed(events)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    app = App.get("/race")
    assert (efs / "apps" / app.app_id / str(app.active_version) / "app.R").read_bytes() == b"2"
