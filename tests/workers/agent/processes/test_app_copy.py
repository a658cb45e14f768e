"""The app's copy of its version's files: what is in it, who may reach it, and that the version
stays as it was.
"""

import asyncio
import json
import os
import shutil
import stat
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.failure import AppStartFailed
from agent.processes import app_copy
from agent.processes.app_copy import AppCopy, linked
from tests.support.unix_id import UNIX_ID
from tests.support.waiting import eventually
from tests.workers.agent.running import APP_ID, VERSION, Launch, Running

as_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can give the app a user of its own"
)
OWNER = UNIX_ID if os.geteuid() == 0 else None


@pytest.fixture
def version() -> Iterator[Path]:
    """A version as a build leaves it."""
    around = Path(tempfile.mkdtemp(prefix="sheen-version-"))
    around.chmod(0o755)
    folder = around / VERSION
    (folder / "www" / "deep").mkdir(parents=True)
    (folder / "app.R").write_text("library(shiny)\n")
    (folder / "tool.sh").write_text("#!/bin/sh\necho it runs\n")
    (folder / "tool.sh").chmod(0o4755)
    (folder / "www" / "deep" / "empty").touch()
    (folder / "www" / "data.rds").write_bytes(os.urandom(200_000))
    (folder / "current").symlink_to("www/deep")
    for number, path in enumerate(sorted(folder.rglob("*"))):
        os.utime(path, (1_000_000_000, 1_100_000_000 + number), follow_symlinks=False)
    yield folder
    shutil.rmtree(around)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where copies are made."""
    folder = Path(tempfile.mkdtemp(prefix="sheen-disk-"))
    folder.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    shutil.rmtree(folder)


def as_app(*command: str, user: int = UNIX_ID) -> subprocess.CompletedProcess[str]:
    become = (
        ["setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups", "--"]
        if OWNER
        else []
    )
    return subprocess.run([*become, *command], capture_output=True, text=True, check=False)


def tree(folder: Path) -> dict[str, tuple[bytes | str, int]]:
    """What is in a folder: contents, or where links lead, and the times."""
    found: dict[str, tuple[bytes | str, int]] = {}
    for path in folder.rglob("*"):
        content = (
            str(path.readlink())
            if path.is_symlink()
            else ""
            if path.is_dir()
            else path.read_bytes()
        )
        found[str(path.relative_to(folder))] = (
            content,
            0 if path.is_symlink() else path.stat().st_mtime_ns,
        )
    return found


def is_empty(folder: Path) -> bool:
    return not list(folder.iterdir())


def owned_by_root(version: Path) -> None:
    for path in (version, *version.rglob("*")):
        os.chown(path, 0, UNIX_ID, follow_symlinks=False)


async def test_a_copy_has_the_files_their_times_and_the_execute_bit_alone(
    version: Path, disk: Path
) -> None:
    copy = AppCopy(version, OWNER)
    await copy.made()
    assert copy.path.name == version.name
    assert tree(copy.path) == tree(version)
    assert stat.S_IMODE((copy.path / "tool.sh").stat().st_mode) == 0o750
    assert stat.S_IMODE((copy.path / "app.R").stat().st_mode) == 0o640
    if OWNER:
        assert {path.lstat().st_uid for path in (copy.path, *copy.path.rglob("*"))} == {OWNER}
    assert (
        as_app(
            "sh",
            "-c",
            f"cd {copy.path} && ./tool.sh && echo new > app.R && echo new > www/new && rm "
            "www/data.rds",
        ).returncode
        == 0
    )
    assert (version / "app.R").read_text() == "library(shiny)\n" and (
        version / "www" / "data.rds"
    ).exists()
    await copy.remove()
    assert is_empty(disk)


@as_root
async def test_nobody_reaches_a_copy_that_is_being_made_and_no_other_app_a_copy(
    version: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying, go_on = threading.Event(), threading.Event()
    copy_some = app_copy._copy_some

    def slowly(source: int, target: int) -> int:
        copying.set()
        go_on.wait(20)
        return copy_some(source, target)

    monkeypatch.setattr(app_copy, "_copy_some", slowly)
    copy = AppCopy(version, OWNER)
    making = copy.begin()
    await asyncio.to_thread(copying.wait, 20)
    assert as_app("ls", str(copy.path)).returncode != 0
    go_on.set()
    await making
    assert as_app("ls", str(copy.path)).returncode == 0
    assert as_app("mv", str(copy.path), f"{copy.path}.other").returncode != 0
    assert as_app("ls", str(copy.path), user=9999).returncode != 0
    await copy.remove()


@as_root
async def test_a_large_file_is_a_link_that_can_be_read_replaced_and_not_written_through(
    version: Path, disk: Path
) -> None:
    owned_by_root(version)
    (version / "www" / "data.rds").chmod(0o640)
    before = (version / "www" / "data.rds").read_bytes()
    copy = AppCopy(version, OWNER, linked_from=100_000)
    await copy.made()
    data = copy.path / "www" / "data.rds"
    assert data.is_symlink() and not (copy.path / "app.R").is_symlink()
    assert as_app("cmp", str(data), str(version / "www" / "data.rds")).returncode == 0
    assert "Permission denied" in as_app("sh", "-c", f"echo mine > {data}").stderr
    assert as_app("sh", "-c", f"rm {data} && echo mine > {data}").returncode == 0
    assert (version / "www" / "data.rds").read_bytes() == before
    await copy.remove()
    assert (version / "www" / "data.rds").read_bytes() == before


async def test_what_an_app_left_in_its_copy_goes_and_nothing_that_its_links_lead_to(
    version: Path, disk: Path, tmp_path: Path
) -> None:
    (tmp_path / "kept").write_text("kept")
    copy = AppCopy(version, OWNER)
    await copy.made()
    (copy.path / "away").symlink_to(tmp_path)
    os.mkfifo(copy.path / "pipe")
    at = os.open(copy.path, os.O_RDONLY)
    for _ in range(200):
        os.mkdir("d", dir_fd=at)
        inner = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)
    await copy.remove()
    assert is_empty(disk)
    assert (tmp_path / "kept").read_text() == "kept"


async def test_a_copy_that_a_killed_instance_left_goes_and_those_of_others_stay(
    version: Path, disk: Path
) -> None:
    copies = [AppCopy(version, OWNER) for _ in range(3)]
    for copy in copies:
        await copy.made()
    killed, living, young = copies
    for copy in (killed, living):
        os.utime(copy.path.parent, (1_000_000_000, 1_000_000_000))
    for copy in (killed, young):
        assert copy._held is not None
        os.close(copy._held)  # as the kernel does
        copy._held = None
    app_copy.sweep()
    assert [copy.path.exists() for copy in copies] == [False, True, True]
    for copy in (living, young):
        await copy.remove()
    assert is_empty(disk)


async def test_what_is_no_plain_file_stops_no_start_for_ever_and_is_told(
    version: Path, disk: Path
) -> None:
    os.mkfifo(version / "pipe")
    copy = AppCopy(version, OWNER)
    with pytest.raises(AppStartFailed, match="could not be copied"):
        await copy.made()
    (version / "pipe").unlink()
    await copy.made()  # the next start tries again
    assert tree(copy.path) == tree(version)
    await copy.remove()


async def test_a_disk_that_is_full_is_told_with_the_way_out(
    version: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_source: int, _target: int) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(app_copy, "_copy_some", full)
    copy = AppCopy(version, OWNER)
    with pytest.raises(
        AppStartFailed, match="do not fit on the disk of its instance: leave data out"
    ):
        await copy.made()
    await copy.remove()
    assert is_empty(disk)


async def test_a_copy_that_takes_long_is_told_of(
    version: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = threading.Event()
    copy_some = app_copy._copy_some
    monkeypatch.setattr(app_copy, "LONG", 0.01)
    monkeypatch.setattr(
        app_copy, "_copy_some", lambda source, target: told.wait(20) and copy_some(source, target)
    )
    copy = AppCopy(version, OWNER, slow=told.set)
    await copy.made()
    assert told.is_set()
    await copy.remove()


@given(st.lists(st.integers(0, 1000)), st.integers(0, 5000), st.integers(1, 1200))
def test_what_is_copied_fits_and_no_small_file_is_linked_before_a_larger_one(
    sizes: list[int], room: int, linked_from: int
) -> None:
    result = linked(sizes, room, linked_from)
    copied = [size for size, is_linked in zip(sizes, result, strict=True) if not is_linked]
    assert sum(copied) <= room
    assert all(size < linked_from for size in copied)
    if sum(size for size in sizes if size < linked_from) <= room:
        assert result == [size >= linked_from for size in sizes]
    assert max(copied, default=0) <= min(
        (size for size, is_linked in zip(sizes, result, strict=True) if is_linked), default=1 << 30
    )


WRITES = """
write.csv(cars, 'x.csv')
saveRDS(cars, 'x.rds')
writeLines(c('---', 'title: a', 'output: html_document', '---', 'Cars: `r nrow(cars)`.'), 'rep.Rmd')
rmarkdown::render('rep.Rmd', quiet = TRUE)
said <- system('./tool.sh', intern = TRUE)
sqlite <- paste(
  "import sqlite3; c = sqlite3.connect('x.db')", "print(c.execute('pragma journal_mode=wal').fetchone()[0])",
  "c.execute('create table t (a)')", sep = "; "
)
wal <- system2('/usr/bin/python3', c('-c', shQuote(sqlite)), stdout = TRUE)
list(nrow(read.csv('x.csv')), nrow(readRDS('x.rds')), any(grepl('Cars: 50', readLines('rep.html'))), said, wal)
"""  # noqa: E501


async def asked(agent: Running, session: str, code: str) -> Any:
    status, body = await agent.ask(
        "GET",
        f"/app/?r={quote(code)}",
        sheen_session=session,
        sheen_base="/echo",
        Accept="text/html",
    )
    assert status == 200, body
    return [value[0] if isinstance(value, list) else value for value in json.loads(body)["value"]]


def efs_of(agent: Running) -> Path:
    variables = Path(f"/proc/{agent.process.pid}/environ").read_bytes().decode().split("\0")
    return Path(
        next(value for value in variables if value.startswith("SHEEN_EFS=")).partition("=")[2]
    )


async def test_an_app_writes_in_its_folder_all_its_workers_see_it_and_the_version_does_not_change(
    launch: Launch, apps: Path
) -> None:
    (apps / "intruder" / "tool.sh").write_text("#!/bin/sh\necho it runs\n")
    (apps / "intruder" / "tool.sh").chmod(0o755)
    agent = await launch("intruder", utilization_scheduler=[1, 1, 2], app_idle_timeout=0)
    await agent.ready()
    assert await asked(agent, "session-1", WRITES) == [50, 50, True, "it runs", "wal"]
    meet = (
        "file.create('{}'); while (!file.exists('{}')) Sys.sleep(0.05); list(getwd(), Sys.getpid())"
    )
    both = await asyncio.gather(
        asked(agent, "session-2", meet.format("a", "b")),
        asked(agent, "session-3", meet.format("b", "a")),
    )
    (folder, first), (same, second) = both
    assert first != second and folder == same
    efs = efs_of(agent)
    assert sorted(path.name for path in (efs / "apps" / APP_ID / VERSION).iterdir()) == [
        "app.R",
        "tool.sh",
    ]
    assert Path(folder).name == VERSION and Path(folder).parent.parent.name == "tmp"
    agent.process.terminate()
    await asyncio.wait_for(agent.process.wait(), 30)
    await eventually(lambda: not Path(folder).exists(), "the copy is gone with its instance")
