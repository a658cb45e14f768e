"""Syncs from S3 to the file system, through the whole stack."""

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.stack import StackProcess
from tests.support.syncing import StackSync
from tests.support.waiting import until

ODD = {
    "a b.csv": b"space",
    "a+b.csv": b"plus",
    "a%2Bb.csv": b"percent",
    "a|b.csv": b"pipe",
    "a*b.csv": b"star",
    "a\\b.csv": b"backslash",
    "ä/ö/日本 ü.csv": b"unicode, nested",
    "-rf ~/'\"$x.csv": b"shell",
}
"""Keys of any spelling."""


@contextlib.contextmanager
def faults(stack: StackProcess, **rates: float) -> Iterator[None]:
    stack.control("POST", "/faults", rates)
    try:
        yield
    finally:
        stack.control("POST", "/faults", {})


def test_what_is_in_s3_comes_whatever_it_is_called_and_the_second_time_nothing_is_copied(
    stack: StackProcess,
) -> None:
    sync = StackSync(stack, "odd")
    sync.put_all(ODD)
    first = sync.run()
    assert first["status"] == "succeeded", first
    assert sync.content() == ODD
    [run] = sync.run()["runs"]
    assert (run["files_copied"], run["files_skipped"], run["files_seen"]) == (0, len(ODD), len(ODD))


def test_a_prefix_brings_only_what_begins_so_and_filters_hold(stack: StackProcess) -> None:
    sync = StackSync(stack, "part", exclude="*.tmp")
    sync.put_all({"sales/2026/a": b"1", "sales/2026/b.tmp": b"2", "sales/2025/c": b"3", "d": b"4"})
    assert sync.run("sales/2026/")["status"] == "succeeded"
    assert sync.content() == {"sales/2026/a": b"1"}
    sync.run()
    assert sync.content() == {"sales/2026/a": b"1", "sales/2025/c": b"3", "d": b"4"}


@pytest.mark.parametrize("delete", [True, False])
def test_what_has_gone_from_s3_goes_only_when_that_is_asked(
    stack: StackProcess, delete: bool
) -> None:
    sync = StackSync(stack, f"gone-{str(delete).lower()}", delete=delete)
    sync.put_all({"stay": b"1", "deep/down/go": b"2"})
    sync.run()
    sync.delete(["deep/down/go"])
    [run] = sync.run()["runs"]
    assert run["files_deleted"] == int(delete)
    assert (sync.folder / "deep").exists() is not delete
    assert (sync.folder / "stay").read_bytes() == b"1"


def test_keys_that_cannot_be_files_are_told_and_all_others_come(stack: StackProcess) -> None:
    sync = StackSync(stack, "unfit")
    sync.put_all({"good": b"1", "a": b"a file", "a/b": b"and a folder", "x" * 300: b"long"})
    found = sync.run()
    [run] = found["runs"]
    assert found["status"] == "partial"
    assert (run["files_failed"], run["files_seen"]) == (2, 4)
    [[_, told]] = run["failures"]
    assert "except for files skipped" in told
    assert told in stack.sheen("syncs", "unfit").stdout
    log = (stack.data / "logs" / "datasync.log").read_text()
    assert "255 bytes" in log
    assert '"a" is a file' in log or "unfit/a: " in log  # whichever of the two came second
    assert sync.content()["good"] == b"1"


def test_small_urgent_objects_come_at_once_and_many_are_few_runs(stack: StackProcess) -> None:
    sync = StackSync(stack, "burst", urgent="now/")
    files = {f"now/{number} +ä|%.csv": str(number).encode() for number in range(60)}
    started = time.monotonic()
    sync.put_all({**files, "later/x": b"not urgent"})
    until(
        lambda: sync.folder.exists() and sync.content() == files,
        90,
        "all urgent files, and no others",
    )
    runs = sync.runs()
    assert all(run["way"] == "copy" for run in runs)
    assert 1 <= len(runs) <= 12, (
        f"{len(runs)} runs for 60 files in {time.monotonic() - started:.0f} s"
    )
    until(lambda: all(run["status"] == "succeeded" for run in sync.runs()), what="the runs' ends")
    assert not sync.rows("sync_requests")


def test_large_urgent_objects_come_by_datasync_with_their_names(stack: StackProcess) -> None:
    sync = StackSync(stack, "large", urgent="/", urgent_limit="1KB")
    body = b"x" * 5000
    sync.put_all({"big | + ä.bin": body, "small": b"1"})
    until(
        lambda: sync.folder.exists() and sync.content() == {"big | + ä.bin": body, "small": b"1"},
        90,
        "both",
    )
    until(
        lambda: (
            {run["way"] for run in sync.runs() if run["status"] == "succeeded"}
            == {"copy", "transfer"}
        ),
        what="both ways",
    )


def test_nobody_sees_half_a_file_and_the_newest_version_wins(stack: StackProcess) -> None:
    sync = StackSync(stack, "whole", urgent="/")
    over = threading.Event()
    seen: set[tuple[int, int]] = set()

    def look() -> None:
        file = sync.folder / "f"
        while not over.wait(0.001):
            with contextlib.suppress(FileNotFoundError):
                content = file.read_bytes()
                seen.add((len(content), len(set(content))))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for number in range(25):
            sync.put("f", bytes([number]) * (200_000 + number))
            if number % 8 == 0:
                until(lambda: seen, 90, "a version")
        until(lambda: (200_024, 1) in seen, 90, "the last version")
    finally:
        over.set()
        looking.join()
    assert {kinds for _, kinds in seen} == {1}
    assert all(200_000 <= size <= 200_024 for size, _ in seen)


def test_a_transfer_that_fails_is_told_to_the_topic_and_shown_and_the_next_one_brings_all(
    stack: StackProcess,
) -> None:
    sync = StackSync(stack, "fails", retries=0)
    sync.put_all({f"f{number}": b"1" for number in range(5)})
    sqs = stack.client("sqs")
    queue = sqs.create_queue(QueueName="people")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    topic = f"arn:aws:sns:us-east-1:123456789012:{sync.bucket}-alarms"
    stack.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
    )
    with faults(stack, transfer_fail=1.0):
        found = sync.run()
    assert found["status"] == "failed"
    told = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=2)["Messages"][0]["Body"]
    assert told.startswith("Sync fails, run ")
    assert "a fault was asked for" in told
    assert "`sheen sync fails` runs it again" in told
    [run] = found["runs"]
    assert "a fault was asked for" in run["message"]
    assert stack.sheen("sync", "fails", "--follow").returncode == 0
    assert len(sync.content()) == 5
    shown = stack.sheen("syncs", "fails").stdout
    assert "a fault was asked for" in shown
    assert "succeeded" in shown


def test_an_end_that_nobody_is_told_of_is_found_by_the_clock(stack: StackProcess) -> None:
    sync = StackSync(stack, "lost")
    sync.put("f", b"1")
    with faults(stack, transfer_lose=1.0):
        sync.ask()
        until(
            lambda: any(run.get("token") for run in sync.runs()) and (sync.folder / "f").exists(),
            60,
            "the transfer",
        )
        until(
            lambda: (sync.tick(), sync.runs()[-1]["status"] == "succeeded")[1], 30, "the run's end"
        )


def test_a_transfer_that_hangs_is_stopped_and_said_so(stack: StackProcess) -> None:
    sync = StackSync(stack, "hangs", stall_timeout=1, retries=0)
    sync.put("f", b"1")
    with faults(stack, transfer_stall=1.0):
        sync.ask()
        until(lambda: any(run.get("token") for run in sync.runs()), 60, "the transfer")
        until(lambda: (sync.tick(), sync.runs()[-1]["status"] == "failed")[1], 30, "the run's end")
    assert "no progress for 1 s" in sync.runs()[-1]["message"]
    assert sync.run()["status"] == "succeeded"  # what hung is out of the way


def test_a_transfer_that_is_killed_in_the_middle_says_so_and_the_next_one_goes_on_where_it_was(
    stack: StackProcess,
) -> None:
    sync = StackSync(stack, "killed", retries=0)
    files = {f"{number % 7}/{number} |+ü.csv": str(number).encode() * 50 for number in range(250)}
    files["large.bin"] = bytes(range(256)) * 80_000
    sync.put_all(files)
    sync.ask()

    def kill() -> bool:
        there = sum(len(names) for _, _, names in os.walk(sync.folder))
        mine = [
            int(p.parent.name)
            for p in Path("/proc").glob("[0-9]*/cmdline")
            if _is_transfer_of(p, stack)
        ]
        if there >= 20 and mine:
            os.kill(mine[0], signal.SIGKILL)
        return there >= 20 and bool(mine)

    until(kill, 60, "the transfer to be under way")
    until(lambda: sync.runs()[-1]["status"] == "failed", 60, "the run's end")
    assert "ended before it was done" in sync.runs()[-1]["message"]
    there = sync.content()
    assert 20 <= len(there) < len(files)
    assert all(files[path] == body for path, body in there.items())
    [run] = sync.run()["runs"]
    assert run["files_skipped"] >= len(there)
    assert sync.content() == files


def _is_transfer_of(cmdline: Path, stack: StackProcess) -> bool:
    """Whether a process is a transfer of this very stack."""
    with contextlib.suppress(OSError):
        if (
            b"infra.local.transfer" in cmdline.read_bytes()
            and b"setpriv" not in cmdline.read_bytes()
        ):
            return (
                f"AWS_ENDPOINT_URL={stack.url}".encode()
                in cmdline.with_name("environ").read_bytes()
            )
    return False


def test_what_is_due_runs_by_itself_and_shows_how_old_the_data_is(stack: StackProcess) -> None:
    sync = StackSync(stack, "due", schedule="rate(1 hour)")
    sync.put("f", b"1")
    assert "not yet complete" in next(
        line for line in stack.sheen("syncs").stdout.splitlines() if line.startswith("due ")
    )
    sync.tick()
    until(
        lambda: (
            [run["trigger"] for run in sync.runs() if run["status"] == "succeeded"] == ["schedule"]
        ),
        60,
        "the run",
    )
    sync.tick()
    assert len(sync.runs()) == 1
    assert " s ago" in next(
        line for line in stack.sheen("syncs").stdout.splitlines() if line.startswith("due ")
    )


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ({"sync": "nothing"}, 'no sync "nothing"'),
        ({"name": "x"}, 'it is {"sync": NAME}'),
        ({"sync": "odd", "prefix": "../x"}, 'prefix "../x"'),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_with_its_rule(
    stack: StackProcess, payload: dict[str, Any], told: str
) -> None:
    StackSync(stack, "odd")
    answer = stack.client("lambda").invoke(
        FunctionName="sheen-local-sync", Payload=json.dumps(payload)
    )
    assert told in json.loads(answer["Payload"].read())["errorMessage"]


def test_definitions_and_runs_are_shown_and_errors_are_one_line(
    stack: StackProcess, tmp_path: Path
) -> None:
    result = stack.sheen("sync", "define", "bad", "verify=some", check=False)
    assert result.returncode == 2
    assert result.stderr == (
        "sheen: sync bad: verify is 'some'; it is one of none, transferred, all, as in "
        "verify=none\n"
    )
    assert "verify" in stack.sheen("sync", "define", "fine", "schedule=never").stdout
    assert stack.sheen("sync", "remove", "fine").returncode == 0
    assert 'no sync "fine"' in stack.sheen("sync", "fine", check=False).stderr
