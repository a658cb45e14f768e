"""The publish machine's steps, repeated and out of order."""

import json
from typing import Any

import boto3
import pytest

from chalicelib.apps import versions
from chalicelib.apps.configure import configure
from chalicelib.apps.model import App, Version
from chalicelib.configuration.deployment import GIGABYTE, Settings
from chalicelib.publishing import publish, store
from chalicelib.publishing.errors import BadBundle
from chalicelib.publishing.model import Bundle
from chalicelib.publishing.status import BundleStatus
from tests.chalicelib.aws_in_process import BUCKET

pytestmark = pytest.mark.usefixtures("dynamodb_calls")
KEY = "bundles/hello/app.zip"


def clock() -> float:
    return 1_800_000_000.0


def created(sequencer: str, key: str = KEY, time: str = "2026-11-20T13:31:44Z") -> dict[str, Any]:
    return {
        "time": time,
        "detail": {"object": {"key": key, "size": 9, "etag": "e", "sequencer": sequencer}},
    }


def outcome(key: str = KEY) -> dict[str, str]:
    body = (
        boto3.client("s3")
        .get_object(Bucket=BUCKET, Key=f"outcomes/{key.removeprefix('bundles/')}.json")["Body"]
        .read()
    )
    result: dict[str, str] = json.loads(body)
    return result


def check(event: dict[str, Any]) -> publish.Upload:
    return publish.check(event, BUCKET, GIGABYTE, clock)


def finish(upload: publish.Upload, settings: dict[str, Any] | None = None) -> dict[str, str]:
    publish.register(
        {
            "upload": upload,
            "built": {"kind": "app.R", "source": "versions/x", "settings": settings or {}},
        },
        clock,
    )
    status = publish.activate({"upload": upload}, clock)
    return publish.report({"upload": upload, **status}, BUCKET, clock)


def publish_it(event: dict[str, Any]) -> dict[str, str]:
    upload = check(event)
    assert upload["build"]
    return finish(upload)


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
        "updated": "2027-01-15T08:00:00Z",
    }


def test_who_has_nothing_but_s3_sees_how_far_it_is() -> None:
    upload = check(created("01"))
    assert (outcome()["status"], outcome()["message"]) == (
        "building",
        "Getting a machine to unpack the bundle.",
    )
    store.tell(
        BUCKET, KEY, upload["sequencer"], BundleStatus.BUILDING, "Unpacking 3 files.", clock()
    )
    assert outcome()["message"] == "Unpacking 3 files."


def test_every_step_may_come_twice() -> None:
    event = created("01")
    first, second = check(event), check(event)
    assert first == second
    for _ in range(2):
        assert finish(first) == {"status": "active"}
    assert check(event) == {"build": False}


def test_a_build_that_was_given_up_does_not_talk_over_the_outcome() -> None:
    upload = check(created("01"))
    finish(upload)
    assert not store.tell(
        BUCKET, KEY, upload["sequencer"], BundleStatus.BUILDING, "Unpacking.", clock()
    )
    assert (Bundle.get(KEY).status, outcome()["status"]) == ("active", "active")


def test_the_settings_of_a_bundle_come_with_it_and_go_with_it() -> None:
    finish(check(created("01")), {"size": "small"})
    assert App.get("/hello").resolved().settings.size == "small"
    publish_it(created("02"))
    assert App.get("/hello").resolved().settings.size == "large"


def test_settings_that_do_not_go_with_the_apps_own_are_refused_and_nothing_changes() -> None:
    publish_it(created("01"))
    configure("/hello", {"max_instances": 2}, 1.0)
    active = App.get("/hello").active_version
    with pytest.raises(BadBundle, match="cannot hold: start_count is 3 and max_instances 2"):
        finish(check(created("02")), {"start_count": 3})
    assert App.get("/hello").active_version == active


def test_a_rerun_after_going_back_does_not_go_forward_again() -> None:
    publish_it(created("01"))
    first = App.get("/hello").active_version
    upload = check(created("02"))
    finish(upload)
    versions.roll_back("/hello", None, 3.0)
    assert finish(upload) == {"status": "active"}
    assert App.get("/hello").active_version == first


def test_an_older_upload_that_comes_late_is_not_built() -> None:
    publish_it(created("02"))
    assert check(created("01")) == {"build": False}


def test_an_older_upload_that_is_built_late_is_kept_and_not_activated() -> None:
    older = check(created("01", "bundles/hello/old.zip"))
    publish_it(created("02", "bundles/hello/new.zip", time="2026-11-20T13:31:45Z"))
    active = App.get("/hello").active_version
    assert finish(older) == {"status": "superseded"}
    assert App.get("/hello").active_version == active
    assert outcome("bundles/hello/old.zip")["status"] == "superseded"
    assert [row.version for row in versions.of(older["app_id"])] == [active, older["version"]]


def test_a_bad_name_is_rejected_with_a_row_and_an_outcome() -> None:
    event = created("01", "bundles/hello/app.rar")
    with pytest.raises(BadBundle) as caught:
        check(event)
    cause = json.dumps({"errorMessage": str(caught.value), "errorType": "BadBundle"})
    publish.reject(
        {**event, "error": {"Error": "BadBundle", "Cause": cause}},
        Settings.from_environment(),
        clock,
    )
    row = store.find("bundles/hello/app.rar")
    assert row is not None
    assert (row.status, row.message) == ("rejected", str(caught.value))
    assert outcome("bundles/hello/app.rar")["message"] == str(caught.value)
    assert list(App.scan()) == []


def test_a_rejected_upload_does_not_touch_what_is_active() -> None:
    publish_it(created("01"))
    active = App.get("/hello").active_version
    event = created("02")
    check(event)
    publish.reject(
        {**event, "error": {"Error": "BadBundle", "Cause": "bundle app.zip: no app is in it"}},
        Settings.from_environment(),
        clock,
    )
    assert App.get("/hello").active_version == active
    assert outcome()["message"] == "bundle app.zip: no app is in it"


def test_a_late_rejection_does_not_hide_a_newer_upload() -> None:
    event = created("01")
    check(event)
    publish_it(created("02"))
    publish.reject(
        {**event, "error": {"Error": "TaskDied", "Cause": "x"}}, Settings.from_environment(), clock
    )
    assert outcome()["status"] == "active"


def test_what_is_not_the_bundles_fault_is_said_so() -> None:
    assert "which is not its fault (TaskDied: killed)" in publish.reason(
        {"Error": "TaskDied", "Cause": "killed"}, KEY
    )
    assert "did not come to an end in time" in publish.reason(
        {"Error": "States.HeartbeatTimeout"}, KEY
    )


@pytest.mark.parametrize(
    ("error", "blameless"),
    [
        ("BadBundle", False),
        ("States.Timeout", False),
        ("States.HeartbeatTimeout", True),
        ("OSError", True),
    ],
)
def test_whether_the_same_files_may_do_better_another_time_is_recorded(
    error: str, blameless: bool
) -> None:
    event = created("01")
    check(event)
    publish.reject(
        {**event, "error": {"Error": error, "Cause": "x"}}, Settings.from_environment(), clock
    )
    assert bool(Bundle.get(KEY).blameless) == blameless


def test_an_upload_that_was_never_recorded_is_rejected_with_a_row_all_the_same() -> None:
    event = created("01")
    publish.reject(
        {**event, "error": {"Error": "Lambda.Unknown", "Cause": "x"}},
        Settings.from_environment(),
        clock,
    )
    assert (Bundle.get(KEY).status, outcome()["location"]) == ("rejected", "/hello")


def test_a_failure_after_the_switch_is_not_told_as_a_rejection() -> None:
    event = created("01")
    upload = check(event)
    publish.register(
        {"upload": upload, "built": {"kind": "app.R", "source": "versions/x", "settings": {}}},
        clock,
    )
    publish.activate({"upload": upload}, clock)
    assert publish.reject(
        {**event, "error": {"Error": "States.Timeout"}}, Settings.from_environment(), clock
    ) == {"status": "active"}
    assert outcome()["status"] == "active"
