"""A worker with a room of its own finds its own folders there and no others; where the machine
allows rooms.
"""

import asyncio
import dataclasses
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agent.http import r_socket
from agent.kinds import shiny_python
from agent.processes import fresh
from agent.processes.command import WorkerSpec
from agent.processes.preloaded import PreloadedProcess
from agent.processes.r_process import Starter
from agent.processes.worker import Worker
from machine import room
from machine.room import Link, VisibleFolder

MakeSpec = Callable[..., WorkerSpec]
Ask = Callable[[str], Awaitable[Any]]

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not room.possible(), reason="nothing can be mounted here"
)


@pytest.fixture(params=["fresh", "forked"])
def starter(request: pytest.FixtureRequest, preloaded: PreloadedProcess) -> Starter:
    return fresh.start if request.param == "fresh" else preloaded.fork


@pytest.fixture
def efs(tmp_path: Path, apps: Path) -> Path:
    """The shared file system: two apps' versions and data, open to everybody, so that nothing but
    the room hides them.
    """
    efs = tmp_path / "efs"
    for app in ("mine", "theirs"):
        for kind in ("apps", "data"):
            (efs / kind / app).mkdir(parents=True)
            (efs / kind / app / "file").write_text(app)
        (efs / "data" / app).chmod(0o777)
    (efs / "apps" / "mine" / "app.R").write_bytes((apps / "intruder" / "app.R").read_bytes())
    for name, mode in (
        ("given", 0o755),
        ("closed", 0o700),
    ):  # the gates of two syncs, and their data, which are open to everybody
        data = efs / "synced" / name / "data"
        data.mkdir(parents=True)
        data.chmod(0o777)
        (data / "file").write_text(name)
        data.parent.chmod(mode)
    for above in (efs, *efs.parents[:3]):
        above.chmod(0o755)
    return efs


@pytest.fixture
async def worker(spec: MakeSpec, starter: Starter, efs: Path) -> AsyncIterator[Worker]:
    mine = efs / "apps" / "mine"
    seen = (
        VisibleFolder(mine, mine),
        VisibleFolder(efs / "data" / "mine", efs / "data" / "mine", writable=True),
    )
    gates = tuple(VisibleFolder(gate, gate, writable=True) for gate in (efs / "synced").iterdir())
    links = tuple(Link(efs / "syncs" / gate.path.name, str(gate.path / "data")) for gate in gates)
    made = dataclasses.replace(
        spec("echo"), directory=mine, hidden=(efs,), seen=seen + gates, links=links
    )
    worker = Worker(made, starter=starter)
    await worker.start()
    yield worker
    await worker.stop()


async def does(worker: Worker, code: str) -> Any:
    headers = {"shiny-shared-secret": worker.spec.secret}
    async with (
        aiohttp.ClientSession(connector=r_socket.WorkerConnector(worker, 1)) as client,
        client.get("http://r/", params={"r": code}, headers=headers) as answer,
    ):
        return (await answer.json())["value"]


async def test_a_worker_finds_its_own_folders_and_no_others(worker: Worker, efs: Path) -> None:
    own = ["apps/mine/app.R", "apps/mine/file", "data/mine/file"]
    synced = [
        "synced/given/data/file",
        "syncs/closed",
        "syncs/given/file",
    ]  # a link that leads to what it may not enter
    assert await does(worker, f"sort(list.files('{efs}', recursive = TRUE))") == own + synced
    assert await does(
        worker, f"{{ writeLines('x', '{efs}/data/mine/new'); readLines('{efs}/data/mine/new') }}"
    ) == ["x"]
    assert (efs / "data" / "mine" / "new").read_text() == "x\n"
    for place in ("apps/mine/new", "apps/new", "new"):
        assert "refused" in (await does(worker, f"writeLines('x', '{efs}/{place}')"))[0]


async def test_a_folder_whose_gate_is_closed_is_not_open_in_a_room(
    worker: Worker, efs: Path
) -> None:
    for way in ("synced/closed/data", "syncs/closed"):
        assert "cannot open" in (await does(worker, f"readLines('{efs}/{way}/file')"))[0]
        assert "cannot open" in (await does(worker, f"writeLines('x', '{efs}/{way}/new')"))[0]
    assert await does(
        worker,
        f"{{ writeLines('x', '{efs}/syncs/given/new'); readLines('{efs}/synced/given/data/new') }}",
    ) == ["x"]


async def test_a_workers_temporary_folders_are_its_own(worker: Worker, apps: Path) -> None:
    # The apps of these tests are in /tmp, and open to everybody.
    assert await does(worker, f"file.exists('{apps}')") == [False]
    for place in ("/tmp", "/var/tmp", "/dev/shm"):
        mark = f"{place}/sheen-test-{os.getpid()}"
        assert await does(worker, f"{{ writeLines('x', '{mark}'); file.exists('{mark}') }}") == [
            True
        ]
        assert not await asyncio.to_thread(Path(mark).exists)
    assert (await does(worker, "dirname(tempdir())"))[0] == str(worker.folder / "tmp")


async def test_a_workers_user_has_a_name(worker: Worker) -> None:
    assert await does(worker, "c(Sys.info()[['user']], system('whoami', intern = TRUE))") == [
        "shiny",
        "shiny",
    ]
    assert await does(worker, "getwd()") == [str(worker.spec.directory)]


async def test_a_room_goes_with_its_worker(worker: Worker) -> None:
    folder = worker.folder
    await worker.stop()
    assert not folder.exists()
    assert str(folder) not in await asyncio.to_thread(Path("/proc/mounts").read_text)


def test_a_room_that_cannot_be_made_is_told_and_changes_nothing_here(tmp_path: Path) -> None:
    before = Path("/proc/mounts").read_text()
    with pytest.raises(FileNotFoundError, match="nowhere"):
        room.make(
            room.View((tmp_path,), (VisibleFolder(tmp_path, tmp_path / "nowhere"),), tmp_path)
        )
    assert Path("/proc/mounts").read_text() == before


def test_a_python_that_is_installed_in_a_temporary_folder_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    monkeypatch.setattr(sys, "prefix", "/usr")
    assert shiny_python.interpreter() == ()
    monkeypatch.setattr(sys, "prefix", "/tmp/checkout/.venv")
    (found,) = shiny_python.interpreter()
    assert (found.path, found.writable) == (Path("/tmp/checkout/.venv"), False)
