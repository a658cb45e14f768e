"""Log streams as files."""

import os
import random
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.emulator.logs import files as log_files
from infra.emulator.logs.files import LogFile, as_ms, as_text, events_between

BEGIN = as_ms("2026-11-20T16:50:43.123Z")
MESSAGES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
WRITES = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 5000), st.lists(MESSAGES, min_size=1, max_size=4)),
    max_size=12,
)


def opened(folder: Path, name: str) -> LogFile:
    path = folder / f"{name}.log"
    path.unlink(missing_ok=True)
    return LogFile.create(f"a/{name}", path, 0o640, BEGIN)


@given(WRITES, st.integers(-10, 5100), st.integers(-10, 5100))
def test_what_was_written_is_found_by_its_time_also_by_the_next_run(
    tmp_path_factory: pytest.TempPathFactory,
    writes: list[tuple[int, int, list[str]]],
    start: int,
    end: int,
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    files = [opened(folder, f"s{number}") for number in range(3)]
    wanted = []
    for number, offset, messages in writes:
        events = [(BEGIN + offset + step, message) for step, message in enumerate(messages)]
        files[number].append(events)
        wanted += [
            (at_ms, files[number].stream, message)
            for at_ms, message in events
            if start <= at_ms - BEGIN <= end
        ]
    again = [kept for file in files if (kept := LogFile.find(file.path))]
    for these in (files, again):
        found = list(events_between(these, BEGIN + start, BEGIN + end))
        assert sorted((event.at_ms, event.stream, event.message) for event in found) == sorted(
            wanted
        )
        assert [event.at_ms for event in found] == sorted(event.at_ms for event in found)
        assert len({event.event_id for event in found}) == len(found)
    assert [(event.event_id, event.message) for event in events_between(files)] == [
        (event.event_id, event.message) for event in events_between(again)
    ]


def test_a_file_reads_well(tmp_path: Path) -> None:
    file = opened(tmp_path, "one")
    file.append([(BEGIN, "Listening"), (BEGIN + 1, "Warning:\n  two lines")])
    assert file.path.read_text() == (
        "# stream a/one 2026-11-20T16:50:43.123Z\n2026-11-20T16:50:43.123Z "
        "Listening\n2026-11-20T16:50:43.124Z Warning:\n\t  two lines\n"
    )
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o640


def test_what_looks_like_a_head_or_a_time_within_a_message_is_no_event_of_its_own(
    tmp_path: Path,
) -> None:
    file = opened(tmp_path, "one")
    nasty = "x\n2020-01-01T00:00:00.000Z forged\n# stream b/other 2020-01-01T00:00:00.000Z\n\ttab"
    file.append([(BEGIN, nasty)])
    assert [(event.at_ms, event.message) for event in events_between([file])] == [(BEGIN, nasty)]


def test_only_the_blocks_of_the_time_asked_for_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_files, "_BLOCK_BYTES", 1000)
    file = opened(tmp_path, "one")
    for number in range(200):
        file.append([(BEGIN + number, "x" * random.randint(50, 90))])
    assert len(file.blocks) > 10
    read: list[int] = []
    original = LogFile.read
    monkeypatch.setattr(
        LogFile, "read", lambda self, block: (read.append(block.offset), original(self, block))[1]
    )
    assert len(list(events_between([file], BEGIN + 195))) == 5
    assert len(read) <= 2


def test_a_file_of_an_earlier_run_is_read_through_only_when_its_time_is_asked_for(
    tmp_path: Path,
) -> None:
    opened(tmp_path, "one").append([(BEGIN, "long ago")])
    os.utime(tmp_path / "one.log", (BEGIN / 1000, BEGIN / 1000))
    found = LogFile.find(tmp_path / "one.log")
    assert found is not None
    assert list(events_between([found], BEGIN + 24 * 3600 * 1000)) == []
    assert found._blocks is None
    found.append([(BEGIN + 5, "and now")])
    assert [event.message for event in events_between([found], BEGIN)] == ["long ago", "and now"]


def test_a_kill_in_the_middle_of_a_line_leaves_the_rest_readable(tmp_path: Path) -> None:
    file = opened(tmp_path, "one")
    file.append([(BEGIN, "whole"), (BEGIN + 1, "torn apart")])
    file.path.write_bytes(file.path.read_bytes()[:-6])
    found = LogFile.find(file.path)
    assert found is not None
    found.append([(BEGIN + 2, "next")])
    assert [event.message for event in events_between([found])] == ["whole", "torn ", "next"]


def test_another_file_is_not_taken_for_a_stream(tmp_path: Path) -> None:
    (tmp_path / "moto.log").write_text("hello\n")
    assert LogFile.find(tmp_path / "moto.log") is None


@given(st.integers(0, 4_000_000_000_000))
def test_times_are_read_as_they_were_written(at_ms: int) -> None:
    assert as_ms(as_text(at_ms)) == at_ms
