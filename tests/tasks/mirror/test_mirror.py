"""A folder becomes what a prefix is: at scale, while objects change, and when it is killed in the
middle.
"""

import http.client
import json
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import Credentials

from tasks.mirror import s3
from tasks.mirror.s3 import Bucket, ReadFailed
from tasks.mirror.work import MISSES, PART, Mirror, MirrorJob, MirrorOutcome
from tests.support.effort import amount
from tests.support.s3_stand import NOON, Stand, Store

SMALL = int(os.environ.get("SHEEN_SYNC_FILES") or amount(10_000))


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def url(store: Store) -> Iterator[str]:
    with Stand(store) as url:
        yield url


class Place:
    """A folder to sync into."""

    def __init__(self, top: Path, url: str) -> None:
        self.folder, self.incoming = top / "data", top / "incoming"
        self.folder.mkdir()
        self.bucket = Bucket("data", Credentials("key", "secret"), "us-east-1", url)

    def mirror(self, **job: Any) -> MirrorOutcome:
        outcome = MirrorOutcome()
        Mirror(MirrorJob("p/", self.folder, self.incoming, **job), self.bucket, outcome).run()
        return outcome

    def content(self) -> dict[str, bytes]:
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file()
        }

    def unfinished(self) -> list[Path]:
        return list(self.incoming.iterdir())


@pytest.fixture
def place(tmp_path: Path, url: str) -> Place:
    return Place(tmp_path, url)


def expected(store: Store) -> dict[str, bytes]:
    return {key.removeprefix("p/"): stored.body for key, stored in store.objects.items()}


def fill(store: Store, count: int) -> None:
    for number in range(count):
        store.put(f"p/{number % 50}/{number} ä+.csv", f"{number},".encode() * 40, NOON)
    for number in range(3):
        store.put(f"p/large/{number}.bin", bytes([number + 65]) * (3 * PART + 17), NOON)


def test_many_small_and_some_large_files_twice_while_objects_change(
    store: Store, place: Place
) -> None:
    fill(store, SMALL)
    versions = {path: {body} for path, body in expected(store).items()}
    over = threading.Event()
    changing = random.Random(1)

    def change() -> None:
        for round_number in range(10_000):
            if over.wait(0.002):
                return
            number = changing.randrange(SMALL)
            path, body = f"{number % 50}/{number} ä+.csv", f"changed {round_number}".encode() * 30
            if round_number % 100 == 50:
                path, body = (
                    f"large/{changing.randrange(3)}.bin",
                    bytes([changing.randrange(97, 120)]) * (2 * PART + round_number),
                )
            versions[path].add(body)
            store.put(f"p/{path}", body, NOON + 1 + round_number // 300)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        first = place.mirror()
    finally:
        over.set()
        thread.join()
    assert (first.files_failed, first.files_copied) == (0, SMALL + 3)
    for path, body in place.content().items():
        assert body in versions[path], f"{path} is no version that ever was"
    second = place.mirror()
    assert second.files_failed == 0
    assert second.files_copied < SMALL / 2, "what had not changed was copied again"
    assert place.content() == expected(store)
    third = place.mirror()
    assert (third.files_copied, third.files_skipped) == (0, SMALL + 3)
    assert not place.unfinished()


def test_killed_at_any_time_it_leaves_whole_files_and_goes_on_where_it_was(
    store: Store, place: Place, url: str
) -> None:
    count = min(SMALL, 1500)
    fill(store, count)
    job = {"bucket": "data", "prefix": "p/", "folder": str(place.folder), "incoming": str(place.incoming), "include": [], "exclude": [],  # noqa: E501
           "delete": True, "verify": "transferred"}  # fmt: skip
    environment = {**os.environ, "AWS_ENDPOINT_URL": url, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s",  # noqa: E501
                   "PYTHONPATH": os.pathsep.join(sys.path)}  # fmt: skip
    kills = 0
    for share in (0.05, 0.3, 0.6, 2.0):
        process = subprocess.Popen(
            [sys.executable, "-m", "infra.local.transfer"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(job))
        process.stdin.close()
        while process.poll() is None:
            there = sum(1 for at, _, files in os.walk(place.folder) for _ in files)
            if there >= share * count:
                process.send_signal(signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.005)
        process.wait()
        want = expected(store)
        assert all(want[path] == body for path, body in place.content().items()), (
            "a file is not what its object is"
        )
    assert kills == 3
    assert place.content() == expected(store)
    assert not place.unfinished()


def test_files_and_folders_take_each_others_place(store: Store, place: Place) -> None:
    store.put("p/a", b"file")
    store.put("p/b/c", b"in a folder")
    place.mirror(delete=True)
    del store.objects["p/a"], store.objects["p/b/c"]
    store.put("p/a/x", b"in a folder")
    store.put("p/b", b"file")
    outcome = place.mirror(delete=True)
    assert outcome.failures == []
    assert place.content() == {"a/x": b"in a folder", "b": b"file"}


def test_a_link_in_the_folder_leads_nothing_out_of_it(
    store: Store, place: Place, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep").write_bytes(b"mine")
    (place.folder / "way").symlink_to(outside)
    (place.folder / "f").symlink_to(outside / "keep")
    store.put("p/way/keep", b"theirs")
    store.put("p/way/new", b"theirs")
    store.put("p/f", b"theirs")
    outcome = place.mirror(delete=True)
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == {"keep": b"mine"}
    assert sorted(path for path, _ in outcome.failures) == ["way/keep", "way/new"]
    assert "is a file or a link" in outcome.failures[0][1]
    assert (place.folder / "f").read_bytes() == b"theirs"
    assert not (place.folder / "f").is_symlink()


def test_a_connection_that_breaks_is_made_anew(store: Store, place: Place) -> None:
    fill(store, 30)
    store.broken = 6
    outcome = place.mirror(threads=3)
    assert outcome.failures == []
    assert place.content() == expected(store)


@pytest.mark.parametrize(
    ("below", "brought", "scans"),
    [("b/c/", {"b/c/2"}, 2), ("b/c", {"b/c/2", "b/cc/3"}, 4), ("b/none/", set(), 0)],
)
def test_of_a_narrow_prefix_no_other_folder_is_looked_into(
    store: Store,
    place: Place,
    below: str,
    brought: set[str],
    scans: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for path in ("a/1", "b/c/2", "b/cc/3", "b/d/4", "b/5"):
        store.put(f"p/{path}", b"1")
        (place.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (place.folder / path).write_bytes(b"stale")
    for path in ("b/c/deep/gone", "b/d/gone"):
        (place.folder / path).parent.mkdir(exist_ok=True)
        (place.folder / path).write_bytes(b"stale")
    scanned = []
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda descriptor: scanned.append(1) or scan(descriptor))
    outcome = place.mirror(below=below, delete=True)
    monkeypatch.undo()
    assert {path for path, body in place.content().items() if body == b"1"} == brought
    assert (place.folder / "b/d/gone").exists()
    assert (place.folder / "b/c/deep/gone").exists() == (not brought)
    assert len(scanned) == scans
    assert outcome.looked_at == len(brought) * 2 + outcome.files_deleted


@pytest.mark.parametrize(
    "error",
    [socket.gaierror(-3, "no such name for now"), ssl.SSLError("bad handshake"), TimeoutError()],
)
def test_what_the_network_fails_in_is_tried_again(
    store: Store, place: Place, error: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, 3)
    connect, failures = http.client.HTTPConnection.connect, iter([error] * 3)

    def unsteady(connection: http.client.HTTPConnection) -> None:
        if (failure := next(failures, None)) is not None:
            raise failure
        connect(connection)

    monkeypatch.setattr(http.client.HTTPConnection, "connect", unsteady)
    monkeypatch.setattr(s3, "PAUSES", (0.0, 0.0, 0.0))
    assert place.mirror().failures == []
    assert place.content() == expected(store)


def test_of_what_failed_is_said_what_may_come_the_next_time(
    store: Store, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "PAUSES", (0.0,))
    for key in ("file/below", "busy", "folder", "..", "good"):
        store.put(f"p/{key}", b"1")
    store.busy = {"p/busy"}
    (place.folder / "file").write_bytes(b"in the way")
    (place.folder / "folder").mkdir()
    (place.folder / "folder" / "there").write_bytes(b"in the way")
    outcome = place.mirror()
    assert {path for path, _ in outcome.failures} == {"file/below", "busy", "folder", ".."}
    assert list(outcome.forgive()) == ["busy"]
    assert {path for path, _ in outcome.failures} == {"file/below", "folder", ".."}
    assert (outcome.files_failed, outcome.files_copied, outcome.passing) == (3, 1, {})


def test_when_nothing_gets_through_not_all_is_tried(
    store: Store, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "PAUSES", ())
    keys = [str(number) for number in range(MISSES + 100)]
    tried = []
    monkeypatch.setattr(
        place.bucket,
        "_ask",
        lambda path, _: tried.append(path) or (_ for _ in ()).throw(s3.ReadFailed("S3: no")),
    )
    outcome = MirrorOutcome()
    Mirror(MirrorJob("p/", place.folder, place.incoming, threads=4), place.bucket, outcome).keys(
        dict.fromkeys(keys, 1)
    )
    assert len(tried) < MISSES + 4
    assert sorted(outcome.passing) == sorted(keys)
    assert outcome.files_failed == len(keys)


@pytest.mark.parametrize("etag", ["", "0123456789abcdef0123456789abcdef-2"])
def test_verifying_finds_what_looks_current_and_is_not(
    store: Store, place: Place, etag: str
) -> None:
    store.put("p/f", b"right", NOON, etag)
    store.put("p/g", b"good", NOON, etag)
    place.mirror(verify="all")
    file = place.folder / "f"
    status = file.stat()
    file.write_bytes(b"wrong")
    os.utime(file, ns=(status.st_mtime_ns, status.st_mtime_ns))
    assert place.mirror().files_copied == 0
    outcome = place.mirror(verify="all")
    assert (outcome.files_copied, outcome.files_skipped) == (1, 1)
    assert file.read_bytes() == b"right"


@pytest.mark.parametrize("size", [7, 2 * PART + 1])
def test_what_comes_damaged_is_not_put_in_its_place(store: Store, place: Place, size: int) -> None:
    store.put("p/f", b"whole", NOON)
    place.mirror()
    store.put("p/f", b"d" * size, NOON + 1, "0" * 32)
    outcome = place.mirror()
    assert "checksum" in outcome.failures[0][1]
    assert place.content() == {"f": b"whole"}


@pytest.mark.parametrize("etag", ["", "0123456789abcdef0123456789abcdef-2"])
def test_a_large_object_is_put_together_of_its_parts_and_of_one_version(
    store: Store, place: Place, etag: str
) -> None:
    store.put("p/f", os.urandom(3 * PART + 5), NOON, etag)
    assert place.mirror().failures == []
    assert place.content() == expected(store)


@pytest.mark.parametrize("size", [0, 7, 2 * PART + 5])
def test_a_large_object_that_was_replaced_since_it_was_listed_comes_as_it_is_now(
    store: Store, place: Place, size: int
) -> None:
    store.put("p/f", b"n" * size)
    outcome = MirrorOutcome()
    Mirror(MirrorJob("p/", place.folder, place.incoming), place.bucket, outcome).keys(
        {"f": 3 * PART}
    )
    assert outcome.failures == []
    assert place.content() == expected(store)


@pytest.mark.parametrize("size", [1, PART + 1])
def test_single_keys_come_as_they_are_now_and_large_ones_are_named(
    store: Store, place: Place, size: int
) -> None:
    store.put("p/small |+ä", b"1")
    store.put("p/large", b"x" * 100)
    outcome = MirrorOutcome()
    Mirror(
        MirrorJob("p/", place.folder, place.incoming, largest=10, durable=True),
        place.bucket,
        outcome,
    ).keys({"small |+ä": 1, "large": size, "gone": 1})
    assert place.content() == {"small |+ä": b"1"}
    assert outcome.large == ["large"]
    assert (outcome.files_copied, outcome.files_skipped, outcome.files_failed) == (1, 1, 0)


def test_a_prefix_that_cannot_be_listed_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "PAUSES", (0.0,))
    place = Place(tmp_path, "http://127.0.0.1:9")
    (place.folder / "keep").write_bytes(b"1")
    with pytest.raises(ReadFailed):
        place.mirror(delete=True)
    assert place.content() == {"keep": b"1"}


def test_an_urgent_folder_is_made_and_a_key_that_leads_out_of_it_fails_alone(
    store: Store, place: Place
) -> None:
    keys = ["new/folder/", "../../other/data/f", "nul\0", "good"]
    for key in keys:
        store.put(f"p/{key}", b"1")
    outcome = MirrorOutcome()
    Mirror(MirrorJob("p/", place.folder, place.incoming), place.bucket, outcome).keys(
        dict.fromkeys(keys, 1)
    )
    assert (place.folder / "new/folder").is_dir()
    assert place.content() == {"good": b"1"}
    assert sorted(outcome.failures) == [
        ("../../other/data/f", '".." cannot be the name of a folder or file'),
        ("nul\0", "a name has a NUL in it"),
    ]
    assert (outcome.files_seen, outcome.files_copied, outcome.files_failed) == (1, 1, 2)
