"""How much room an app may take, told before it is taken."""

import asyncio
import dataclasses
from collections.abc import Callable

import pytest

from agent.processes import quota
from agent.processes.command import WorkerSpec
from agent.processes.quota import GB, MOST_FILES, Quota
from agent.processes.worker import Worker, WorkerState
from machine.untrusted import Usage


def used(gb: float = 0, entries: int = 0) -> Usage:
    return Usage(int(gb * GB), entries, complete=True)


def test_the_end_is_told_before_it_is_reached_and_once_for_each_step() -> None:
    files = Quota("Files", 10 * GB, "That is the end.")
    assert files.judge(used(7.9)) is None
    assert files.judge(used(8.1, 12)) == (
        "Files have 8.1 GB in 12 files; 10 GB and 200,000 files are allowed. Remove what "
        "is not needed any more."
    )
    assert files.judge(used(9.9)) is None
    assert "That is the end." in (files.judge(used(10.1)) or "")
    assert files.judge(used(11)) is None
    assert files.judge(used(1)) is None
    assert files.judge(used(9)) is not None


@pytest.mark.parametrize(
    "much", [used(10.1), used(entries=MOST_FILES + 1), Usage(0, 5, complete=False)]
)
def test_too_many_files_or_too_deep_folders_are_too_much_as_well(much: Usage) -> None:
    files = Quota("Files", 10 * GB, "That is the end.")
    assert files.is_exceeded(much)
    assert "allowed" in (files.judge(much) or "")


class Lines:
    """A worker's log."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)

    def end(self, well: bool) -> None:
        """Nothing."""


async def test_a_worker_that_fills_its_temporary_folder_is_told_and_then_ended(
    spec: Callable[..., WorkerSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quota, "TEMPORARY", 10_000_000)
    log = Lines()
    worker = Worker(dataclasses.replace(spec("echo")), log=log)
    await worker.start()
    try:
        await worker.keep_to_quota()
        assert not [line for line in log.lines if "Temporary files" in line]
        (worker.folder / "tmp" / "large").write_bytes(b"x" * 9_000_000)
        await worker.keep_to_quota()
        assert "Remove what is not needed" in log.lines[-1]
        assert worker.state is WorkerState.READY
        (worker.folder / "tmp" / "more").write_bytes(b"x" * 2_000_000)
        await worker.keep_to_quota()
        assert "R is stopped" in log.lines[-1]
        await asyncio.wait_for(worker.gone(), 30)
    finally:
        await worker.stop()
