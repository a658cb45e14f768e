"""Putting an app away and getting rid of it: its visitors are told, nothing runs on, and nothing
goes that was not asked for.
"""

from typing import Any

import boto3
import pytest

from chalicelib.apps import life
from chalicelib.apps import store as apps
from chalicelib.apps.errors import NoSuchApp, NotArchived
from chalicelib.apps.model import App, Version
from chalicelib.aws import clients
from chalicelib.configuration.deployment import Settings
from chalicelib.instances import store
from chalicelib.lives import starts
from chalicelib.lives.archive import archive, delete
from chalicelib.publishing import retention
from chalicelib.publishing.model import Bundle
from chalicelib.sessions.connections import store as connections
from tests.chalicelib.aws_in_process import BUCKET
from tests.chalicelib.simulated_aws import SimulatedAws

pytestmark = pytest.mark.usefixtures("dynamodb_calls")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> SimulatedAws:
    made, s3 = SimulatedAws(), boto3.client("s3")
    monkeypatch.setattr(
        clients, "client", lambda service, endpoint=None: s3 if service == "s3" else made
    )
    for key in keys():
        s3.delete_object(Bucket=BUCKET, Key=key)
    return made


def published(location: str) -> App:
    app = apps.ensure(location, 1.0)
    key = f"bundles{location}/app.zip"
    kept = f"versions/{app.app_id}/v/app.zip"
    Version(
        app.app_id,
        "20261120T133144Z-3f9a0000",
        bundle=key,
        source=kept,
        kind="app.R",
        published_at=1.0,
    ).save()
    Bundle(
        key,
        sequencer="0",
        etag="",
        location=location,
        version="v",
        status="ACTIVE",
        message="",
        updated_at=1.0,
    ).save()
    for each in (key, kept, f"outcomes{location}/app.zip.json"):
        boto3.client("s3").put_object(Bucket=BUCKET, Key=each, Body=b"x")
    return app


def keys() -> set[str]:
    return {
        each["Key"]
        for each in boto3.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])
    }


def everything() -> tuple[Any, ...]:
    return (
        sorted(app.location for app in App.scan()),
        len(list(Version.scan())),
        sorted(row.key for row in Bundle.scan()),
        keys(),
    )


def test_an_archived_app_has_no_instance_left_and_all_the_rest(world: SimulatedAws) -> None:
    settings = Settings.from_environment()
    app, other = published("/hello"), published("/other")
    before = everything()
    refs = []
    for slot, (owner, version) in enumerate([(app, "old"), (app, "new"), (other, "new")]):
        claimed = store.claim(
            f"{owner.app_id}.{version}", slot, app=owner.location, capacity=9, now=world.now
        )
        assert claimed is not None
        starts.start(starts.Start(claimed.ref, "small"), settings.instance_state_machine, world.now)
        task = world.run_task_of(claimed.ref, "token")
        store.mark_ready(claimed.ref, "10.0.0.1:8080", "token", world.now, task.arn)
        connections.add(f"c{slot}", claimed.ref, "s", world.now)
        refs.append(claimed.ref)
    starting = store.claim(f"{app.app_id}.new", 5, app="/hello", capacity=9, now=world.now)
    assert starting is not None
    assert archive({"location": "/hello"}, settings, world.clock) == {"stopped": 3}
    assert [getattr(store.get(ref), "state", None) for ref in [*refs, starting.ref]] == [
        "STOPPED",
        "STOPPED",
        "READY",
        "STOPPED",
    ]
    assert {connection for connection, _ in world.posted} == {"c0", "c1"}
    assert len(world.running_tasks()) == 1
    assert [execution.running for execution in world.executions.values()] == [False, False, True]
    assert archive({"location": "/hello"}, settings, world.clock) == {"stopped": 0}
    assert everything() == before
    assert life.restore("/hello", world.now).archived_at is None


def test_only_what_is_archived_is_deleted_and_then_all_of_it(world: SimulatedAws) -> None:
    settings = Settings.from_environment()
    app, other = published("/hello"), published("/other")
    with pytest.raises(NotArchived, match="sheen archive /hello"):
        delete({"location": "/hello"}, settings, world.clock)
    assert retention.begin({"deleted": app.app_id}, world.clock) == []
    archive({"location": "/hello"}, settings, world.clock)
    assert retention.begin({"deleted": app.app_id}, world.clock) == [], (
        "an app that is there loses nothing, whoever asks"
    )
    assert delete({"location": "/hello"}, settings, world.clock) == {"versions": 1, "bundles": 1}
    assert [execution.input for execution in world.executions.values()] == [{"deleted": app.app_id}]
    again = published("/hello")
    assert retention.sweep("tidy", world.clock) == [app.app_id], "nobody has removed its files yet"
    (removal,) = retention.begin({"deleted": app.app_id}, world.clock)
    assert removal == {"app_id": app.app_id, "version": "", "remove": app.app_id}
    for _ in range(2):
        retention.finish(removal, BUCKET)
    assert retention.sweep("tidy", world.clock) == []
    assert [row.app_id for row in Version.scan(Version.app_id.is_in(app.app_id, again.app_id))] == [
        again.app_id
    ]
    life.archive("/hello", 1.0)
    assert delete({"location": "/hello"}, settings, world.clock) == {"versions": 1, "bundles": 1}
    retention.finish({"app_id": again.app_id, "version": "", "remove": again.app_id}, BUCKET)
    assert everything() == (
        ["/other"],
        1,
        ["bundles/other/app.zip"],
        {
            "bundles/other/app.zip",
            "outcomes/other/app.zip.json",
            f"versions/{other.app_id}/v/app.zip",
        },
    )
    with pytest.raises(NoSuchApp):
        delete({"location": "/hello"}, settings, world.clock)


def test_an_app_that_is_restored_while_it_is_deleted_keeps_its_row(world: SimulatedAws) -> None:
    app = published("/hello")
    life.archive("/hello", 1.0)
    life.restore("/hello", 2.0)
    with pytest.raises(NotArchived):
        life.delete(app)
    assert apps.get("/hello").app_id == app.app_id
