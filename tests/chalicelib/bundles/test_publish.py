"""The publish machine's steps, repeated and out of order."""

import json
from typing import Any

import boto3
import pytest

from chalicelib.apps.model import App, Version
from chalicelib.bundles import publish, store
from chalicelib.bundles.errors import BadBundle
from chalicelib.bundles.model import Bundle
from chalicelib.settings import GIGABYTE
from tests.chalicelib.aws_in_process import BUCKET

pytestmark = pytest.mark.usefixtures("dynamodb_calls")
KEY = "bundles/hello/app.zip"


def clock() -> float:
    return 1_800_000_000.0


def created(sequencer: str, key: str = KEY, time: str = "2026-11-20T13:31:44Z") -> dict[str, Any]:
    return {"time": time, "detail": {"object": {"key": key, "size": 9, "etag": "e", "sequencer": sequencer}}}


def outcome(key: str = KEY) -> dict[str, str]:
    body = boto3.client("s3").get_object(Bucket=BUCKET, Key=f"outcomes/{key.removeprefix('bundles/')}.json")["Body"].read()
    result: dict[str, str] = json.loads(body)
    return result


def publish_it(event: dict[str, Any]) -> dict[str, str]:
    upload = publish.register(event, GIGABYTE, clock)
    assert upload["build"]
    return publish.activate({"upload": upload, "kind": "app.R"}, BUCKET, clock)


def test_an_upload_becomes_the_active_version() -> None:
    assert publish_it(created("01")) == {"status": "active"}
    app = App.get("/hello")
    assert Version.get(app.app_id, app.active_version).bundle == KEY
    assert Bundle.get(KEY).status == "active"
    assert outcome() == {
        "key": KEY,
        "status": "active",
        "message": "Published.",
        "location": "/hello",
        "version": app.active_version,
        "path": "/hello/",
    }


def test_every_step_may_come_twice() -> None:
    event = created("01")
    first, second = publish.register(event, GIGABYTE, clock), publish.register(event, GIGABYTE, clock)
    assert first == second
    for _ in range(2):
        assert publish.activate({"upload": first, "kind": "app.R"}, BUCKET, clock) == {"status": "active"}
    assert publish.register(event, GIGABYTE, clock) == {"build": False}


def test_an_older_upload_that_comes_late_is_not_built() -> None:
    publish_it(created("02"))
    assert publish.register(created("01"), GIGABYTE, clock) == {"build": False}


def test_an_older_upload_that_is_built_late_is_not_activated() -> None:
    older = publish.register(created("01", "bundles/hello/old.zip"), GIGABYTE, clock)
    publish_it(created("02", "bundles/hello/new.zip", time="2026-11-20T13:31:45Z"))
    active = App.get("/hello").active_version
    assert publish.activate({"upload": older, "kind": "app.R"}, BUCKET, clock) == {"status": "superseded"}
    assert App.get("/hello").active_version == active
    assert outcome("bundles/hello/old.zip")["status"] == "superseded"


def test_a_bad_name_is_rejected_with_a_row_and_an_outcome() -> None:
    event = created("01", "bundles/hello/app.rar")
    with pytest.raises(BadBundle) as caught:
        publish.register(event, GIGABYTE, clock)
    cause = json.dumps({"errorMessage": str(caught.value), "errorType": "BadBundle"})
    publish.reject({**event, "error": {"Error": "BadBundle", "Cause": cause}}, BUCKET, clock)
    row = store.find("bundles/hello/app.rar")
    assert row is not None
    assert (row.status, row.message) == ("rejected", str(caught.value))
    assert outcome("bundles/hello/app.rar")["message"] == str(caught.value)
    assert list(App.scan()) == []


def test_a_rejected_upload_does_not_touch_what_is_active() -> None:
    publish_it(created("01"))
    active = App.get("/hello").active_version
    event = created("02")
    publish.register(event, GIGABYTE, clock)
    publish.reject({**event, "error": {"Error": "BadBundle", "Cause": "bundle app.zip: no app is in it"}}, BUCKET, clock)
    assert App.get("/hello").active_version == active
    assert outcome()["message"] == "bundle app.zip: no app is in it"


def test_a_late_rejection_does_not_hide_a_newer_upload() -> None:
    event = created("01")
    publish.register(event, GIGABYTE, clock)
    publish_it(created("02"))
    publish.reject({**event, "error": {"Error": "TaskDied", "Cause": "x"}}, BUCKET, clock)
    assert outcome()["status"] == "active"


def test_what_is_not_the_bundles_fault_is_said_so() -> None:
    assert "which is not its fault (TaskDied: killed)" in publish.reason({"Error": "TaskDied", "Cause": "killed"}, KEY)
    assert "did not come to an end in time" in publish.reason({"Error": "States.HeartbeatTimeout"}, KEY)
