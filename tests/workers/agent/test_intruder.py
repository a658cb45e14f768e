"""An app whose code means harm gets nowhere: not into the agent, not into other apps, not out of
its folders (DESIGN rule 5).
"""

import asyncio
import ctypes
import dataclasses
import os
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agent.kinds import shiny_python, shiny_r
from agent.processes import fresh, private
from agent.processes.command import Runtime, WorkerSpec
from agent.processes.preloaded import PreloadedProcess
from agent.processes.r_process import Starter
from agent.processes.worker import Worker
from machine.untrusted import Folder
from tests.support import intruder
from tests.support.unix_id import ANOTHER_UNIX_ID

Start = Callable[..., Awaitable[Worker]]
CANARY = "AKIACANARYCANARYCANARY"
KEEPER = """
import ctypes, sys
from machine import process
process.shield()
kept = ctypes.create_string_buffer(b"secret")
sys.stdout.write(f"{ctypes.addressof(kept):x}\\n"); sys.stdout.flush()
sys.stdin.read()
"""

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can give each app its own user"
)


@pytest.fixture(params=["fresh", "forked"])
def starter(request: pytest.FixtureRequest, preloaded: PreloadedProcess) -> Starter:
    """Every attempt is made from an R of its own, and from one that was forked."""
    return fresh.start if request.param == "fresh" else preloaded.fork


class Keeper:
    """A process that shields itself as the agent does, with credentials in its environment and a
    secret in its memory.
    """

    def __init__(self, process: asyncio.subprocess.Process, address: str) -> None:
        self.process = process
        self.pid = process.pid
        self.address = address


@pytest.fixture
async def keeper() -> AsyncIterator[Keeper]:
    environment = os.environ | {
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": f"/v2/credentials/{CANARY}",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        KEEPER,
        CANARY[:5],
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    yield Keeper(process, (await process.stdout.readline()).decode().strip())
    process.stdin.close()
    await process.wait()


class App:
    """The intruder app in a worker."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker

    async def does(self, code: str) -> Any:
        connector = aiohttp.UnixConnector(str(self.worker.socket_path))
        headers = {"shiny-shared-secret": self.worker.spec.secret}
        async with (
            aiohttp.ClientSession(connector=connector) as client,
            client.get("http://r/", params={"r": code}, headers=headers) as answer,
        ):
            value = (await answer.json())["value"]
            return value[0] if isinstance(value, list) and len(value) == 1 else value


@pytest.fixture
async def app(started: Start) -> App:
    return App(await started("intruder"))


async def blocking(app: App, check: Callable[[intruder.Ask], None]) -> None:
    """Run a check that asks R without await, beside this loop."""
    loop = asyncio.get_running_loop()
    await asyncio.to_thread(
        check, lambda code: asyncio.run_coroutine_threadsafe(app.does(code), loop).result(60)
    )


async def test_the_intruder_itself_works(app: App, tmp_path: Path) -> None:
    own = app.worker.folder / "tmp" / "mine"
    assert await app.does(intruder.writes(own)) == "GOT IN"
    assert await app.does(intruder.reads(own)) == "x"
    assert await app.does(intruder.python("print(6 * 7)")) == "42"
    # Into a process of its own it gets: what refuses the others below is not a missing system call.
    victim = (
        "p = subprocess.Popen([sys.executable, '-I', '-c', 'import time; time.sleep(60)']); "
        "time.sleep(0.5)"
    )
    look = (
        "for name in ('environ', 'maps'):\n  print(name, "
        "bool(open(f'/proc/{p.pid}/{name}').read(1)))"
    )
    reaching = f"import subprocess, sys, time\n{victim}\n{look}\np.kill()"
    assert intruder.lines(await app.does(intruder.python(reaching))) == [
        "environ True",
        "maps True",
    ]


async def test_the_agent_is_closed(app: App, keeper: Keeper) -> None:
    said = intruder.lines(
        await app.does(intruder.python(intruder.SYSCALLS, keeper.pid, keeper.address))
    )
    assert len(said) > 10, said
    assert not [line for line in said if "GOT IN" in line], said
    assert {
        line for line in said if line.startswith(("ptrace", "read memory", "write memory"))
    } <= {
        f"{name} Operation not permitted"
        for name in ("ptrace attach", "ptrace seize", "read memory", "write memory")
    }, said


def sockets_of(pid: int) -> set[str]:
    links = [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]
    return {link for link in links if link.startswith("socket:")}


@needs_root
async def test_the_r_that_workers_are_forked_from_is_closed(
    app: App, preloaded: PreloadedProcess
) -> None:
    said = intruder.lines(await app.does(intruder.python(intruder.SYSCALLS, preloaded.pid, "1000")))
    assert len(said) > 10 and not [line for line in said if "GOT IN" in line], said
    assert await app.does(f"tools::pskill({preloaded.pid}L, tools::SIGKILL)") is False
    held = intruder.lines(
        await app.does("Sys.readlink(list.files('/proc/self/fd', full.names = TRUE))")
    )
    orders = sockets_of(preloaded.pid)
    assert orders and not orders & set(held)  # nobody who was forked can order a fork


@needs_root
async def test_the_agent_takes_no_signal_from_an_app(app: App, keeper: Keeper) -> None:
    assert await app.does(f"tools::pskill({keeper.pid}L, tools::SIGKILL)") is False
    assert await app.does(f"tools::pskill({os.getpid()}L, tools::SIGKILL)") is False
    assert await app.does("tools::pskill(1L, tools::SIGTERM)") is False
    assert keeper.process.returncode is None


async def test_no_process_shows_where_the_roles_credentials_are(app: App, keeper: Keeper) -> None:
    assert (
        await app.does(intruder.python(intruder.READABLE, f"/v2/credentials/{CANARY}"[::-1])) == []
    )
    # What it may see it does find.
    assert "GOT IN" in str(
        await app.does(
            intruder.python(intruder.READABLE, f"WORKER_ID={app.worker.spec.worker_id}"[::-1])
        )
    )


@needs_root
async def test_an_apps_folders_are_all_that_it_writes_to(app: App, apps: Path) -> None:
    folders = [
        apps,
        apps / "intruder",
        Path("/etc"),
        Path("/usr"),
        Path("/usr/lib/R/library"),
        Path("/var"),
        Path("/root"),
        Path("/"),
        Path("/opt"),
    ]
    await blocking(
        app,
        lambda ask: intruder.cannot_write(
            ask,
            [folder for folder in folders if os.path.isdir(folder)],  # noqa: PTH112
        ),
    )
    await blocking(app, lambda ask: intruder.cannot_change(ask, [apps, apps / "intruder"]))
    for opened in ("wb", "r+b", "ab"):
        assert "cannot open" in str(
            await app.does(f"file({intruder.text(apps / 'intruder' / 'app.R')}, {opened!r})")
        )


@needs_root
async def test_another_apps_private_folder_and_socket_are_closed(
    app: App, started: Start, spec: Callable[..., Any], starter: Starter
) -> None:
    other = Worker(spec("echo", number=9), starter=starter)
    object.__setattr__(other.spec, "unix_id", ANOTHER_UNIX_ID)
    try:
        await other.start()
        folder = other.folder
        await blocking(
            app,
            lambda ask: intruder.cannot_read(
                ask, [folder, folder / "home", folder / "tmp", folder / "start.R"]
            ),
        )
        await blocking(app, lambda ask: intruder.cannot_write(ask, [folder, folder / "home"]))
        connect = (
            "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
            "print('GOT IN')"
        )
        said = intruder.lines(await app.does(intruder.python(connect, other.socket_path)))
        assert "PermissionError: [Errno 13] Permission denied" in said[-1], said
        said = intruder.lines(await app.does(intruder.python(intruder.SYSCALLS, other.pid, "1000")))
        assert not [line for line in said if "GOT IN" in line], said
        assert await app.does(f"tools::pskill({other.pid}L, tools::SIGKILL)") is False
    finally:
        await other.stop()


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A folder of somebody else's, with a file."""
    folder = tmp_path / "victim"
    folder.mkdir()
    (folder / "file").write_text("stays")
    return folder


def state_of(folder: Path) -> list[tuple[int, int, int]]:
    return [
        (path.stat().st_mode, path.stat().st_uid, path.stat().st_gid)
        for path in (folder, folder / "file")
    ]


@needs_root
async def test_the_agent_follows_no_link_when_it_clears_up(started: Start, victim: Path) -> None:
    before = state_of(victim)
    app = App(await started("intruder"))
    folder = app.worker.folder
    for name in (
        "home",
        "tmp",
        "run",
    ):  # what the agent made is not R's to replace; what is in it is
        link = intruder.text(folder / name)
        await app.does(
            f"{{ unlink({link}, recursive = TRUE); file.symlink({intruder.text(victim)}, {link}) }}"
        )
        assert not (folder / name).is_symlink()
        for place, target in (("folder", victim), ("file", victim / "file")):
            await app.does(
                f"file.symlink({intruder.text(target)}, {intruder.text(folder / name / place)})"
            )
            assert (folder / name / place).is_symlink()
    await app.worker.stop()
    assert not folder.exists()
    assert (victim / "file").read_text() == "stays"
    assert state_of(victim) == before


@needs_root
@pytest.mark.parametrize("runtime", [shiny_r.RUNTIME, shiny_python.RUNTIME])
def test_what_the_app_can_change_in_a_private_folder_is_its_own_and_nobody_elses(
    spec: Callable[..., WorkerSpec], runtime: Runtime
) -> None:
    """Root's scripts are there before the app's user can come in, and cannot be written to,
    replaced or removed by it.
    """
    wanted = dataclasses.replace(spec("echo"), runtime=runtime)
    made = private.make(wanted)
    try:
        found = {
            path.name: (stat.S_IMODE(path.stat().st_mode), path.stat().st_uid)
            for path in (made.path, *made.path.iterdir())
        }
        assert found.pop(made.path.name) == (0o750, 0)
        assert made.path.stat().st_gid == wanted.unix_id
        scripts = {script.name for script in runtime.scripts}
        assert found == dict.fromkeys(
            ("run", "tmp", "home"), (0o700, wanted.unix_id)
        ) | dict.fromkeys((*scripts, "passwd"), (0o444, 0)) | {
            "slash-tmp": (
                0o1777,
                0,
            )  # what /tmp is where the worker has a room; only its group gets there
        }
    finally:
        made.remove()
    assert not made.path.exists()


@needs_root
def test_a_worker_that_starts_is_open_to_no_other_process_of_its_app_before_it_is_complete(
    spec: Callable[..., WorkerSpec],
) -> None:
    """A process of the same app that sees the folder come lays a FIFO or a link where root is about
    to write.
    """
    given: list[set[str]] = []
    give = Folder.give

    def watched(folder: Folder, user: int, group: int) -> None:
        if folder.path.name.startswith("sheen-worker-"):
            given.append(set(folder.names()))
        give(folder, user, group)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Folder, "give", watched)
        made = private.make(spec("echo"))
    made.remove()
    assert given == [{"run", "tmp", "home", "slash-tmp", "passwd", "serve.R", "start.R"}]


async def test_no_program_gives_it_more_rights(app: App) -> None:
    """Programs with the set-user-id bit are plain ones for it."""
    found = intruder.lines(
        await app.does(intruder.shell("find /usr/bin /bin /usr/sbin -perm -4000 2>/dev/null"))
    )
    assert found
    who = intruder.python(
        "import ctypes, os; print(ctypes.CDLL(None).prctl(39, 0, 0, 0, 0), os.geteuid(), "
        "os.getgroups())"
    )
    unix_id = app.worker.spec.unix_id
    assert await app.does(who) == (
        f"1 {unix_id if unix_id is not None else os.geteuid()} "
        f"{[] if unix_id is not None else os.getgroups()}"
    )
    raised = (
        "import os\ntry:\n  os.setuid(0); print('GOT IN')\nexcept OSError as error:\n  "
        "print(error.strerror)"
    )
    if unix_id is not None:
        assert await app.does(intruder.python(raised)) == "Operation not permitted"
        assert "GOT IN" not in str(
            await app.does(
                intruder.shell(
                    "mount -t tmpfs none /mnt && echo GOT IN; unshare -m true && echo GOT IN"
                )
            )
        )


def test_the_shield_is_what_keeps_a_process_closed() -> None:
    """Without root, user ids do not help: the shield alone does (PR_GET_DUMPABLE)."""
    code = (
        "import ctypes; from machine import process; process.shield(); "
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    import subprocess

    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert (
        subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        == "0\n"
    )
    assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) != 0
