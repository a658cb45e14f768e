"""The task of a sync's run: what it copies, what it forgets of what was asked, and what it tells
the state machine.
"""

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.syncs import requests, runs, store
from chalicelib.syncs.model import SyncRequest, Way
from tasks import copy, site, token
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
        self.ended = threading.Event()
        self.end = self.ended.set
        self.define()
        runs.begin("sales", Way.COPY, RUN, 1.0)

    def define(self, **changes: Any) -> None:
        values = {"bucket": "data", "prefix": "p/", "urgent": "/", "schedule": "never", **changes}
        self.definition = store.define("sales", values, BUCKET, 1.0, ("data/",))

    def put(self, key: str, body: bytes = b"1") -> None:
        """Write an object, of which S3 tells."""
        self.objects.put(f"p/{key}", body)
        requests.ask_for_object(self.definition, key, len(body), 2.0)

    def task(self, what: str, number: int = 1) -> int:
        environment = {
            **ENVIRONMENT,
            "SHEEN_EFS": str(self.efs),
            "SHEEN_SYNC": "sales",
            "SHEEN_SYNC_RUN": RUN,
            "SHEEN_SYNC_WORK": what,
            "SHEEN_TASK_TOKEN": f"token {number}",
            "SHEEN_SYNC_STATE_MACHINE": "arn:aws:states:us-east-1:123456789012:stateMachine:sync",
        }
        return copy.main(environment, self.end)

    def answer(self) -> dict[str, Any]:
        """What the last task said was done."""
        name, told = self.states.told[-1]
        assert name == "send_task_success", told
        found: dict[str, Any] = json.loads(told["output"])
        return found

    def failure(self) -> dict[str, Any]:
        """Why the last task failed, and what it did all the same."""
        name, told = self.states.told[-1]
        assert name == "send_task_failure"
        return {**told, **json.loads(told["cause"])}

    def asked(self) -> set[str]:
        return {str(row.target) for row in requests.pending("sales", Way.COPY)}

    def content(self) -> dict[str, bytes]:
        folder = self.efs / "syncs/sales"
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def place(
    services: Counter[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
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
    assert place.answer()["failures"] == [
        ["../../other/f", '".." cannot be the name of a folder or file']
    ]
    assert {name: place.answer()["counts"][name] for name in ("files_copied", "files_failed")} == {
        "files_copied": 2,
        "files_failed": 1,
    }
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
    told = place.failure()
    assert (told["taskToken"], told["error"]) == ("token 1", "NotCopied")
    assert told["errorMessage"].startswith("1 files could not be copied; busy: S3: 503")
    assert place.asked() == {"busy"}
    assert (told["counts"]["files_copied"], told["counts"]["files_failed"]) == (1, 1)
    assert [path for path, _ in told["failures"]] == [".."]
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


def test_a_prefix_that_cannot_be_listed_keeps_no_key_waiting(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.put("a")
    requests.ask_for_prefix(place.definition, "b", "asked", 7.0)
    monkeypatch.setattr(
        s3.Bucket, "list", lambda *_: (_ for _ in ()).throw(s3.ReadFailed("S3: no"))
    )
    assert place.task("copy") == 1
    assert place.content() == {"a": b"1"}
    assert place.asked() == {"b"}
    assert (place.failure()["error"], place.failure()["counts"]["files_copied"]) == (
        "ReadFailed",
        1,
    )


def test_a_steady_feed_does_not_keep_a_task_for_ever(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = requests.done

    def feed(rows: Iterable[SyncRequest]) -> None:
        done(rows)
        place.put("more")

    monkeypatch.setattr(requests, "done", feed)
    monkeypatch.setattr(copy, "LONGEST", 0.2)
    place.put("first")
    assert place.task("copy") == 0
    assert place.content().keys() >= {"first"}
    assert place.asked() == {"more"}


def test_a_task_that_is_not_waited_for_ends(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token, "BEAT_EVERY", 0.01)

    def timed_out(**_: object) -> None:
        raise ClientError(
            {"Error": {"Code": "TaskTimedOut", "Message": "too late"}}, "SendTaskHeartbeat"
        )

    place.states.__dict__["send_task_heartbeat"] = timed_out
    monkeypatch.setattr(
        requests, "pending", lambda *_: [] if place.ended.wait(30) else pytest.fail("it went on")
    )
    place.task("copy")
    assert place.ended.is_set()


def test_a_task_that_does_not_get_on_says_so_and_ends(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.define(stall_timeout="1")
    monkeypatch.setattr(token, "BEAT_EVERY", 0.05)
    monkeypatch.setattr(
        requests, "pending", lambda *_: [] if place.ended.wait(30) else pytest.fail("it went on")
    )
    place.task("copy")
    names = [name for name, _ in place.states.told]
    assert names.count("send_task_heartbeat") > 3
    [told] = [told for name, told in place.states.told if name == "send_task_failure"]
    assert told["error"] == "Stalled"
    assert "no progress for 1 s" in told["cause"]


def test_a_task_that_still_lists_gets_on(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.define(stall_timeout="1")
    monkeypatch.setattr(token, "BEAT_EVERY", 0.05)
    for number in range(8):
        place.objects.put(f"p/{number}", b"1")
    listing = s3.Bucket.list

    def slow(bucket: s3.Bucket, prefix: str) -> Iterator[s3.ListedObject]:
        for listed in listing(bucket, prefix):
            time.sleep(0.25)
            yield listed

    monkeypatch.setattr(s3.Bucket, "list", slow)
    requests.ask_for_prefix(place.definition, "", "asked", 7.0)
    assert place.task("copy") == 0
    assert not place.ended.is_set()
    assert len(place.content()) == 8


def test_publishing_apps_answers_which_restart_however_long_it_takes(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.define(stall_timeout="1")
    monkeypatch.setattr(token, "BEAT_EVERY", 0.05)

    def publish(*_: object) -> list[str]:
        time.sleep(1.5)
        return ["/sales"]

    monkeypatch.setattr(site, "publish_changed", publish)
    assert place.task("apps") == 0
    assert place.answer()["restart"] == ["/sales"]
    assert not place.ended.is_set()


def test_a_sync_that_is_not_there_is_told(place: Place) -> None:
    store.remove("sales")
    assert place.task("copy") == 1
    assert place.failure()["error"] == "NoSuchSync"


def test_two_tasks_have_their_unfinished_files_apart_and_what_dead_ones_left_goes(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = place.efs / "synced/sales/.incoming/copy"
    for name, age in (("old", 2 * copy.DEAD), ("young", 60.0)):
        (left / name).mkdir(parents=True)
        (left / name / "half").write_bytes(b"1")
        os.utime(left / name, (time.time() - age,) * 2)
    during = []
    monkeypatch.setattr(
        requests, "pending", lambda *_: during.append({path.name for path in left.iterdir()}) or []
    )
    assert place.task("copy", 1) == place.task("copy", 2) == 0
    [first, second] = during
    assert first & second == {"young"}
    assert (len(first), len(second)) == (2, 2)
    assert [path.name for path in left.iterdir()] == ["young"]
    assert (left / "young" / "half").exists()
