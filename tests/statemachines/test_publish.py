"""A publish by the very machine that AWS gets, with the real build in between; and what is left
when it breaks off anywhere.
"""

import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest

from chalicelib.apps import versions
from chalicelib.apps.model import App
from chalicelib.publishing import store
from tasks import build, token, version_folder
from tests.statemachines.publishing import (
    died,
    ended,
    kept_copies,
    outcome,
    run,
    run_task,
    start,
    uploaded,
    versions_on,
)
from tests.statemachines.services import Services, services, state_machine
from tests.support.archives import bundle
from tests.support.waiting import until

FUNCTIONS = (
    "publish_check",
    "publish_register",
    "publish_activate",
    "agents_restart",
    "publish_report",
)
BUILD_STEPS = (
    (build, "_download"),
    (build, "_unpack"),
    (build, "_restore"),
    (version_folder, "protect"),
    (version_folder, "make_app_folder"),
    (version_folder, "put_in_place"),
)
DEATHS = [
    *((*step, True) for step in BUILD_STEPS),
    (version_folder, "put_in_place", False),
    (token, "succeed", False),
]


@pytest.fixture(scope="module")
def aws() -> Iterator[Services]:
    with services() as running:
        state_machine("tidy", called="sheen-test-tidy")
        yield running


@pytest.fixture
def efs(aws: Services, tmp_path: Path) -> Path:
    for faults in (aws.fail_functions, aws.lose_answers, aws.after, aws.tasks):
        faults.clear()
    aws.run_task = partial(run_task, efs=tmp_path)
    return tmp_path


def is_one_version(key: str, location: str, efs: Path) -> None:
    """One version came of it, whole, and it is active."""
    app = App.get(location)
    (row,) = versions.of(app.app_id)
    assert row.version == app.active_version
    assert versions_on(efs, app.app_id) == {row.version}
    assert (efs / "apps" / app.app_id / row.version / "app.R").read_bytes() == b"1"
    assert boto3.client("s3").head_object(Bucket="sheen-test", Key=row.source)
    assert app.previous_version is None
    assert (outcome(key)["status"], outcome(key)["version"]) == ("active", row.version)


def test_an_upload_is_published_also_when_steps_fail_at_first(aws: Services, efs: Path) -> None:
    aws.fail_functions = dict.fromkeys(FUNCTIONS, 1)
    assert run(uploaded("bundles/hello/a.zip")) == "SUCCEEDED"
    is_one_version("bundles/hello/a.zip", "/hello", efs)


def test_an_upload_is_published_once_also_when_every_step_is_done_twice(
    aws: Services, efs: Path
) -> None:
    aws.lose_answers = dict.fromkeys(FUNCTIONS, 1)

    def twice(task: dict[str, Any]) -> None:
        for _ in range(2):
            threading.Thread(target=run_task, args=(task, efs), daemon=True).start()

    aws.run_task = twice
    assert run(uploaded("bundles/doubled/a.zip")) == "SUCCEEDED"
    is_one_version("bundles/doubled/a.zip", "/doubled", efs)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_execution_that_ends_after_any_step_is_made_good_by_another(
    aws: Services, efs: Path, function: str
) -> None:
    machine, place = state_machine("publish"), function.replace("_", "-")
    event = uploaded(f"bundles/{place}/a.zip")
    running: list[str] = []
    aws.after[function] = lambda: (
        boto3.client("stepfunctions").stop_execution(executionArn=running[-1]) and None
    )
    running.append(start(event, machine))
    assert ended(running[-1]) == "ABORTED"
    aws.after.clear()
    assert run(event, machine) == "SUCCEEDED"
    is_one_version(f"bundles/{place}/a.zip", f"/{place}", efs)


class Killed(BaseException):
    """Nothing of the task runs any more, so that nothing cleans up after it."""


@pytest.mark.parametrize(
    ("place", "step", "before"), DEATHS, ids=[f"{step}-{before}" for _, step, before in DEATHS]
)
def test_a_build_that_dies_at_any_step_is_made_good_by_another(
    aws: Services,
    efs: Path,
    place: ModuleType,
    step: str,
    before: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real: Callable[..., Any] = getattr(place, step)
    lives = [1]

    def dies(*arguments: Any, **named: Any) -> Any:
        if lives and before:
            raise Killed(lives.pop())
        result = real(*arguments, **named)
        if lives:
            raise Killed(lives.pop())
        return result

    def run_it(task: dict[str, Any]) -> None:
        try:
            run_task(task, efs)
        except Killed:
            died(task)

    monkeypatch.setattr(place, step, dies)
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    aws.run_task = run_it
    where = f"dies{step.replace('_', '-')}-{before}"
    assert run(uploaded(f"bundles/{where}/a.zip")) == "SUCCEEDED"
    is_one_version(f"bundles/{where}/a.zip", f"/{where}", efs)


def test_a_step_that_never_works_is_told_and_nothing_has_changed(aws: Services, efs: Path) -> None:
    run(uploaded("bundles/broken/a.zip"))
    active = App.get("/broken").active_version
    aws.fail_functions = {"publish_activate": 100}
    assert run(uploaded("bundles/broken/b.zip", bundle({"app.R": b"2"}))) == "FAILED"
    assert App.get("/broken").active_version == active
    assert "which is not its fault" in outcome("bundles/broken/b.zip")["message"]


def test_old_instances_that_cannot_be_told_do_not_hold_a_publish_up(
    aws: Services, efs: Path
) -> None:
    aws.fail_functions = {"agents_restart": 100}
    assert run(uploaded("bundles/untold/a.zip")) == "SUCCEEDED"
    is_one_version("bundles/untold/a.zip", "/untold", efs)


def test_the_same_event_twice_publishes_once(efs: Path) -> None:
    event = uploaded("bundles/twice/a.zip")
    assert (run(event), run(event)) == ("SUCCEEDED", "SUCCEEDED")
    is_one_version("bundles/twice/a.zip", "/twice", efs)


def test_the_same_event_twice_at_once_publishes_once(efs: Path) -> None:
    machine, event = state_machine("publish"), uploaded("bundles/at-once/a.zip")
    both = [start(event, machine) for _ in range(2)]
    assert [ended(each) for each in both] == ["SUCCEEDED"] * 2
    is_one_version("bundles/at-once/a.zip", "/at-once", efs)


def test_the_same_object_twice_makes_two_versions_of_which_the_later_one_is_active(
    efs: Path,
) -> None:
    first, second = uploaded("bundles/again/a.zip"), uploaded("bundles/again/a.zip")
    assert (run(second), run(first)) == ("SUCCEEDED", "SUCCEEDED")
    app = App.get("/again")
    assert [row.version for row in versions.of(app.app_id)] == [app.active_version]
    assert run(uploaded("bundles/again/a.zip")) == "SUCCEEDED"
    assert len(versions.of(app.app_id)) == 2


def test_a_bad_bundle_changes_nothing_and_says_why(efs: Path) -> None:
    run(uploaded("bundles/good/a.zip", bundle({"app.R": b"1"})))
    active = App.get("/good").active_version
    assert run(uploaded("bundles/good/a.zip", bundle({"readme.md": b"1"}))) == "FAILED"
    assert App.get("/good").active_version == active
    told = outcome("bundles/good/a.zip")
    assert told["status"] == "rejected"
    assert told["message"].startswith("bundle a.zip: no app is in it")


def test_a_bad_name_is_rejected_with_its_own_message(efs: Path) -> None:
    assert run(uploaded("bundles/good/a.rar", b"x")) == "FAILED"
    assert (
        outcome("bundles/good/a.rar")["message"]
        == "bundle a.rar: the name ends neither in .zip nor in .tar.gz; upload one of these"
    )


def test_a_build_that_always_dies_is_told_as_not_the_bundles_fault(
    aws: Services, efs: Path
) -> None:
    aws.run_task = died
    assert run(uploaded("bundles/dies/a.zip")) == "FAILED"
    row = store.find("bundles/dies/a.zip")
    assert row is not None
    assert row.status == "rejected"
    assert "OutOfMemory" in row.message


@pytest.mark.parametrize("broken", ["task", "file system", "messages"])
def test_what_is_not_the_bundles_fault_does_not_reject_it_at_once(
    aws: Services, efs: Path, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [1] * 4

    def fails(*_: Any, **__: Any) -> None:
        if faults:
            raise OSError(5, f"Input/output error {faults.pop()}")

    if broken == "task":
        aws.fail_run_task = len(faults)
    elif broken == "file system":
        monkeypatch.setattr(version_folder, "sweep", fails)
    else:
        monkeypatch.setattr(build, "BundleStatus", None)  # each message fails
    where = broken.replace(" ", "-")
    assert run(uploaded(f"bundles/{where}/a.zip")) == "SUCCEEDED"
    is_one_version(f"bundles/{where}/a.zip", f"/{where}", efs)
    if broken == "messages":
        assert len(aws.tasks) == 1, "a message is not worth a build"


def test_an_upload_whose_check_never_works_is_told(aws: Services, efs: Path) -> None:
    aws.fail_functions = {"publish_check": 100}
    assert run(uploaded("bundles/unchecked/a.zip")) == "FAILED"
    told = outcome("bundles/unchecked/a.zip")
    assert (told["status"], told["location"]) == ("rejected", "/unchecked")
    assert "which is not its fault" in told["message"]


@pytest.mark.parametrize("when", ["while it is built", "when it is registered"])
def test_nothing_is_left_of_an_app_that_is_deleted_during_its_publish(
    aws: Services, efs: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = f"/deleted-{when.split()[-1]}"
    key = f"bundles{location}/a.zip"
    app_ids: list[str] = []

    def delete() -> None:
        app = App.get(location)
        app_ids.append(app.app_id)
        app.delete()

    if when == "while it is built":
        real = version_folder.protect
        monkeypatch.setattr(
            version_folder, "protect", lambda *arguments: (delete(), real(*arguments))
        )
    else:
        aws.after["publish_register"] = delete
    assert run(uploaded(key)) == "FAILED"
    assert outcome(key)["message"] == (
        f"bundle a.zip: the app at {location} was deleted while it was published; upload it again"
    )
    (app_id,) = app_ids
    until(lambda: not versions.of(app_id), 20)
    assert (kept_copies(app_id), (efs / "apps" / app_id).exists()) == (set(), False)


def test_nothing_is_left_of_a_build_that_never_came_to_its_end(
    efs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = version_folder.put_in_place

    def put_in_place(*arguments: Path) -> None:
        real(*arguments)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(version_folder, "put_in_place", put_in_place)
    assert run(uploaded("bundles/unended/a.zip")) == "FAILED"
    app_id = App.get("/unended").app_id
    (row,) = versions.of(app_id)
    assert row.removing_at is not None
    assert versions_on(efs, app_id) == kept_copies(app_id) == {row.version}
    assert ended(start({"location": "/unended"}, state_machine("tidy"))) == "SUCCEEDED"
    assert (versions.of(app_id), versions_on(efs, app_id), kept_copies(app_id)) == (
        [],
        set(),
        set(),
    )
    assert outcome("bundles/unended/a.zip")["status"] == "rejected"
    assert store.find("bundles/unended/a.zip") is not None


def test_uploads_at_once_end_with_the_latest_one_active(efs: Path) -> None:
    events = [
        uploaded(f"bundles/race/{number}.zip", bundle({"app.R": str(number).encode()}))
        for number in range(3)
    ]
    machine = state_machine("publish")
    threads = [threading.Thread(target=run, args=(event, machine)) for event in reversed(events)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    app = App.get("/race")
    assert (efs / "apps" / app.app_id / str(app.active_version) / "app.R").read_bytes() == b"2"
    assert len(versions.of(app.app_id)) == 3
    assert len(versions_on(efs, app.app_id)) == 3
