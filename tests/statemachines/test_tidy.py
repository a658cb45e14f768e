"""Old versions go, by the very machine that AWS gets: files, bundle and row; none that is active,
kept or in use.
"""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest

from chalicelib.apps import life, store, versions
from chalicelib.apps.errors import NoSuchVersion
from chalicelib.apps.model import App
from chalicelib.instances import store as instances
from chalicelib.instances.model import VersionId
from chalicelib.publishing import retention
from chalicelib.publishing import store as bundles
from tests.chalicelib.aws_in_process import BUCKET
from tests.statemachines.publishing import (
    died,
    ended,
    kept_copies,
    run_task,
    start,
    tidying,
    uploaded,
    versions_on,
)
from tests.statemachines.services import Services, services, state_machine
from tests.support.waiting import until


@pytest.fixture(scope="module")
def aws() -> Iterator[Services]:
    with services() as running:
        yield running


@pytest.fixture
def efs(aws: Services, tmp_path: Path) -> Path:
    aws.fail_functions.clear()
    aws.lose_answers.clear()
    aws.run_task = partial(run_task, efs=tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def machine(aws: Services) -> str:
    return state_machine("publish")


def published(location: str, machine: str, count: int, kept: int) -> list[str]:
    """Publish so many versions of an app of which so many are kept; return their names, the oldest
    first. No publish still tidies.
    """
    app = store.ensure(location, 1.0)
    names: list[str] = []
    for number in range(count):
        app.update(actions=[App.settings.set({"versions_kept": kept})])
        publish = start(uploaded(f"bundles{location}/{number}.zip"), machine)
        assert ended(publish) == ended(tidying(publish)) == "SUCCEEDED"
        names.append(str(App.get(location).active_version))
    return names


def tidied(location: str) -> None:
    assert ended(start({"location": location}, state_machine("tidy"))) == "SUCCEEDED"


def is_left(location: str, efs: Path, expected: set[str]) -> bool:
    app_id = App.get(location).app_id
    rows = {row.version for row in versions.of(app_id)}
    return (rows, versions_on(efs, app_id), kept_copies(app_id)) == (expected, expected, expected)


def until_left(location: str, efs: Path, expected: set[str]) -> None:
    end = time.monotonic() + 30
    while not is_left(location, efs, expected):
        assert time.monotonic() < end, (versions.of(App.get(location).app_id), expected)
        time.sleep(0.1)


def test_a_publish_removes_what_is_too_old_whole(efs: Path, machine: str) -> None:
    names = published("/old", machine, 3, kept=2)
    until_left("/old", efs, set(names[1:]))
    assert bundles.find("bundles/old/0.zip") is None
    assert bundles.find("bundles/old/1.zip") is not None
    told = boto3.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="outcomes/old/")["Contents"]
    assert {entry["Key"].partition(".zip.")[0] for entry in told} == {
        "outcomes/old/1",
        "outcomes/old/2",
    }


def test_the_active_version_and_the_one_before_stay_however_old_they_are(
    efs: Path, machine: str
) -> None:
    names = published("/back", machine, 4, kept=10)
    versions.roll_back("/back", names[0], 2.0)
    App("/back").update(actions=[App.settings.set({"versions_kept": 2})])
    tidied("/back")
    assert is_left("/back", efs, {names[0], names[3], names[2]})
    assert App.get("/back").previous_version == names[3]


def test_a_version_in_use_goes_when_its_last_instance_is_gone(efs: Path, machine: str) -> None:
    names = published("/used", machine, 3, kept=10)
    claimed = instances.claim(
        str(VersionId(App.get("/used").app_id, names[0])),
        0,
        app="/used",
        capacity=1,
        now=time.time(),
    )
    assert claimed is not None
    App("/used").update(actions=[App.settings.set({"versions_kept": 2})])
    tidied("/used")
    assert is_left("/used", efs, set(names))
    tidy = state_machine("tidy")
    assert "/used" not in retention.sweep(tidy, time.time)
    instances.mark_stopped(claimed.ref, None, time.time())
    assert "/used" in retention.sweep(tidy, time.time)
    until_left("/used", efs, set(names[1:]))
    assert "/used" not in retention.sweep(tidy, time.time)


@pytest.mark.parametrize("broken", ["task", "tidy_begin", "tidy_finish"])
def test_a_removal_that_breaks_off_is_done_by_the_next_one(
    aws: Services, efs: Path, machine: str, broken: str
) -> None:
    location = f"/{broken.replace('_', '-')}"
    names = published(location, machine, 3, kept=10)
    App(location).update(actions=[App.settings.set({"versions_kept": 2})])
    if broken == "task":
        aws.run_task = died
    else:
        aws.lose_answers = {broken: 100}
    assert ended(start({"location": location}, state_machine("tidy"))) == (
        "FAILED" if broken == "tidy_begin" else "SUCCEEDED"
    )
    with pytest.raises(NoSuchVersion):
        versions.roll_back(location, names[0], 2.0)
    aws.lose_answers.clear()
    aws.run_task = partial(run_task, efs=efs)
    tidied(location)
    assert is_left(location, efs, set(names[1:]))


def test_everything_done_twice_is_done_once(aws: Services, efs: Path, machine: str) -> None:
    names = published("/twice", machine, 3, kept=10)
    App("/twice").update(actions=[App.settings.set({"versions_kept": 2})])
    aws.lose_answers = {"tidy_begin": 1, "tidy_finish": 1}

    def twice(task: dict[str, Any]) -> None:
        run_task(task, efs)
        run_task(task, efs)

    aws.run_task = twice
    tidied("/twice")
    assert is_left("/twice", efs, set(names[1:]))


def test_an_app_whose_settings_cannot_be_read_keeps_no_other_app_from_being_swept(
    efs: Path, machine: str
) -> None:
    names = published("/after", machine, 3, kept=10)
    App("/after").update(actions=[App.settings.set({"versions_kept": 2})])
    store.ensure("/aa-broken", 1.0).update(actions=[App.settings.set({"size": "huge"})])
    assert "/after" in retention.sweep(state_machine("tidy"), time.time)
    until_left("/after", efs, set(names[1:]))


@pytest.mark.parametrize("broken", ["task", "tidy_finish"])
def test_what_is_left_of_a_deleted_app_is_found_until_it_is_gone(
    aws: Services, efs: Path, machine: str, broken: str
) -> None:
    location, tidy = f"/deleted-{broken.replace('_', '-')}", state_machine("tidy")
    published(location, machine, 2, kept=10)
    app = life.archive(location, 1.0)
    (efs / "data" / app.app_id).mkdir(parents=True)
    life.delete(app)
    if broken == "task":
        aws.run_task = died
    else:
        aws.fail_functions = {broken: 100}
    assert ended(start({"deleted": app.app_id}, tidy)) == "SUCCEEDED"
    assert len(versions.of(app.app_id)) == 2
    aws.fail_functions.clear()
    aws.run_task = partial(run_task, efs=efs)
    assert app.app_id in retention.sweep(tidy, time.time)
    until(lambda: not versions.of(app.app_id), what="its rows to go")
    assert (
        kept_copies(app.app_id),
        (efs / "apps" / app.app_id).exists(),
        (efs / "data" / app.app_id).exists(),
    ) == (set(), False, False)
    assert app.app_id not in retention.sweep(tidy, time.time)
