"""The task of a sync's run: what it copies, what it forgets of what was asked, and what it tells the state machine."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.syncs import requests, runs, store
from chalicelib.syncs.model import SyncRun, Way
from tasks import copy
from tasks.mirror import s3
from tests.chalicelib.aws_in_process import BUCKET, ENVIRONMENT, aws_in_process, empty_tables
from tests.support.s3_stand import Stand, Store
from tests.tasks.told import States

RUN = "20261120T120000Z-abcdef-copy"


@pytest.fixture(scope="module")
def services() -> Iterator[Counter[str]]:
    with aws_in_process() as calls:
        yield calls


class Place:
    """A sync and one run of it, by tasks one after the other."""

    def __init__(self, efs: Path, objects: Store, states: States) -> None:
        self.efs, self.objects, self.states = efs, objects, states
        self.define()
        runs.begin("sales", Way.COPY, RUN, 1.0)

    def define(self, **changes: Any) -> None:
        values = {"bucket": "data", "prefix": "p/", "urgent": "/", "schedule": "never", **changes}
        self.definition = store.define("sales", values, BUCKET, 1.0)

    def put(self, key: str, body: bytes = b"1") -> None:
        """Write an object, of which S3 tells."""
        self.objects.put(f"p/{key}", body)
        requests.ask_for_object(self.definition, key, len(body), 2.0)

    def task(self, what: str, number: int = 1) -> int:
        environment = {**ENVIRONMENT, "SHEEN_EFS": str(self.efs), "SHEEN_SYNC": "sales", "SHEEN_SYNC_RUN": RUN,
                       "SHEEN_SYNC_WORK": what, "SHEEN_TASK_TOKEN": f"token {number}", "SHEEN_SYNC_STATE_MACHINE": "machine"}  # fmt: skip
        return copy.main(environment)

    def answer(self) -> dict[str, Any]:
        """What the last task said was done."""
        name, told = self.states.told[-1]
        assert name == "send_task_success", told
        found: dict[str, Any] = json.loads(told["output"])
        return found

    def asked(self) -> set[str]:
        return {str(row.target) for row in requests.pending("sales", Way.COPY)}

    def run(self) -> SyncRun:
        found = runs.find("sales", RUN)
        assert found is not None
        return found

    def content(self) -> dict[str, bytes]:
        folder = self.efs / "syncs/sales"
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def place(services: Counter[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    empty_tables()
    objects = Store()
    monkeypatch.setattr(s3, "PAUSES", (0.0,))
    with Stand(objects) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        yield Place(tmp_path, objects, States.instead(monkeypatch))


def test_preparing_makes_the_folder_and_the_way_to_it(place: Place) -> None:
    assert place.task("prepare") == 0
    assert (place.efs / "syncs/sales").resolve() == place.efs / "synced/sales/data"
    assert (place.efs / "synced/sales").stat().st_mode & 0o7777 == 0o750
    assert (place.efs / "synced/sales/data").stat().st_mode & 0o7777 == 0o3775
    assert place.answer()["counts"]["files_seen"] == 0


def test_what_is_asked_is_copied_and_forgotten(place: Place) -> None:
    for key in ("a", "deep/b |+ä", "../../other/f", "folder/"):
        place.put(key)
    assert place.task("copy") == 0
    assert place.content() == {"a": b"1", "deep/b |+ä": b"1"}
    assert (place.efs / "syncs/sales/folder").is_dir()
    assert place.answer()["failures"] == [["../../other/f", '".." cannot be the name of a folder or file']]
    assert {name: place.answer()["counts"][name] for name in ("files_copied", "files_failed")} == {"files_copied": 2, "files_failed": 1}
    assert place.asked() == set()


def test_a_prefix_is_copied_and_says_how_new_the_data_is(place: Place) -> None:
    for key in ("a", "b/c"):
        place.objects.put(f"p/{key}", b"1")
    requests.ask_for_prefix(place.definition, "", "asked", 7.0)
    assert place.task("copy") == 0
    assert place.content() == {"a": b"1", "b/c": b"1"}
    assert place.asked() == set()
    assert store.find("sales").copied_at == 7.0


def test_what_is_too_large_for_the_task_is_passed_on(place: Place) -> None:
    place.define(urgent_limit="10")
    place.objects.put("p/large", b"x" * 11)
    requests.ask_for_object(place.definition, "large", 5, 2.0)  # it has grown since
    assert place.task("copy") == 0
    assert place.content() == {}
    assert [row.target for row in requests.pending("sales", Way.TRANSFER)] == ["large"]
    assert "start_execution" in [name for name, _ in place.states.told]
    assert place.asked() == set()


def test_what_may_come_later_stays_asked_for_and_what_was_done_is_counted(place: Place) -> None:
    for key in ("good", "busy", ".."):
        place.put(key)
    place.objects.busy = {"p/busy"}
    assert place.task("copy", 1) == 1
    name, told = place.states.told[-1]
    assert (name, told["taskToken"], told["error"]) == ("send_task_failure", "token 1", "NotCopied")
    assert told["cause"].startswith("1 files could not be copied; busy: S3: 503")
    assert place.asked() == {"busy"}
    assert (place.run().files_copied, place.run().files_failed) == (1, 1)
    assert [path for path, _ in place.run().failures] == [".."]
    place.objects.busy = set()
    assert place.task("copy", 2) == 0
    assert place.content() == {"good": b"1", "busy": b"1"}
    assert place.answer()["counts"]["files_failed"] == 0
    assert place.asked() == set()


def test_a_prefix_of_which_something_may_come_later_stays_asked_for(place: Place) -> None:
    for key in ("good", "busy"):
        place.objects.put(f"p/{key}", b"1")
    place.objects.busy = {"p/busy"}
    requests.ask_for_prefix(place.definition, "", "asked", 7.0)
    assert place.task("copy", 1) == 1
    assert store.find("sales").copied_at is None
    assert place.asked() == {""}
    place.objects.busy = set()
    assert place.task("copy", 2) == 0
    assert store.find("sales").copied_at == 7.0


def test_a_prefix_that_cannot_be_listed_keeps_no_key_waiting(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.put("a")
    requests.ask_for_prefix(place.definition, "b", "asked", 7.0)
    monkeypatch.setattr(s3.Bucket, "list", lambda *_: (_ for _ in ()).throw(s3.ReadFailed("S3: no")))
    assert place.task("copy") == 1
    assert place.content() == {"a": b"1"}
    assert place.asked() == {"b"}
    assert place.run().files_copied == 1
    assert place.states.told[-1][1]["error"] == "ReadFailed"
