"""What an app makes in its own folders, and names in its settings, turns the agent against nobody,
and holds up no end.
"""

import asyncio
import contextlib
import dataclasses
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import cast
from urllib.parse import urlencode

import aiohttp
import pytest
from multidict import CIMultiDict

from agent.http import r_socket
from agent.http.asking import WorkerClient
from agent.http.server import is_sound
from agent.processes.command import WorkerSpec
from agent.processes.private import PrivateFolder
from agent.processes.worker import Worker, WorkerState
from agent.processes.workers import Workers
from machine import begin, process, unprivileged
from machine.untrusted import Unremoved
from tests.support.unix_id import UNIX_ID
from tests.support.waiting import eventually

Start = Callable[..., Awaitable[Worker]]
MakeSpec = Callable[..., WorkerSpec]
needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can give each app its own user"
)


# What is left in its folders


def make_deep(folder: Path, levels: int) -> None:
    at = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)


async def test_a_folder_deeper_than_pythons_recursion_holds_up_no_worker(
    started: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tempfile.tempdir", "/dev/shm"
    )  # a disk takes milliseconds for each folder that is removed
    worker = await started("echo")
    make_deep(worker.folder / "tmp", 1_500)
    make_deep(worker.folder / "home", 5_000)
    os.mkfifo(worker.folder / "run" / "fifo")
    await asyncio.wait_for(worker.stop(), 30)
    assert not worker.folder.exists()


@pytest.mark.parametrize(
    "error", [RecursionError("too deep"), Unremoved(39, "it stays", "x"), ValueError("any")]
)
async def test_whatever_fails_when_a_worker_is_cleared_away_it_has_ended(
    spec: MakeSpec,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended: list[bool] = []
    worker = Worker(spec("echo"), on_exit=lambda _worker, unasked: ended.append(unasked))
    await worker.start()
    remove = PrivateFolder.remove

    def failing(private: PrivateFolder, *_: object) -> None:
        raise error

    monkeypatch.setattr(PrivateFolder, "remove", failing)
    await asyncio.wait_for(worker.stop(), 30)
    assert worker.state is WorkerState.EXITED
    assert ended == [False]
    assert "a worker's folder stays behind" in caplog.text
    assert worker._private is not None
    remove(worker._private)


async def test_clearing_away_that_hangs_ends_in_time(
    spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a file system that does not answer."""
    loop = asyncio.get_running_loop()
    go_on = asyncio.Event()
    worker = Worker(spec("echo"))
    await worker.start()
    remove = PrivateFolder.remove

    def hanging(private: PrivateFolder, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()
        remove(private)

    monkeypatch.setattr(PrivateFolder, "remove", hanging)
    monkeypatch.setattr("agent.processes.worker.CLEARING", 0.2)
    await asyncio.wait_for(worker.stop(), 30)
    go_on.set()


# What its settings name


@needs_root
async def test_what_root_starts_sees_no_variable_of_the_apps(
    spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for program in ("_SETPRIV", "_PRLIMIT"):
        real = getattr(unprivileged, program)
        spy = tmp_path / program
        spy.write_text(
            f'#!/bin/sh\ntr "\\0" "\\n" < /proc/$$/environ > {spy}.saw\nexec {real} "$@"\n'
        )
        spy.chmod(0o755)
        monkeypatch.setattr(unprivileged, program, str(spy))
    variables = {
        name: f"/tmp/{name}"
        for name in ("LANGUAGE", "LC_MESSAGES", "OUTPUT_CHARSET", "NLSPATH", "GCONV_PATH", "MY_OWN")
    }
    worker = Worker(dataclasses.replace(spec("probe"), environment=variables))
    await worker.start()
    try:
        for program in ("_SETPRIV", "_PRLIMIT"):
            saw = (tmp_path / f"{program}.saw").read_text().splitlines()
            assert [
                line for line in saw if not line.startswith("PWD=")
            ] == []  # which the first spy's shell sets
        async with asked(worker, "/?probe=1&other=/etc/hostname") as answer:
            found = json.loads(await answer.text())["environment"]
        assert found | variables == found
        assert b"LANGUAGE" in await asyncio.to_thread(
            Path(f"/proc/{worker.pid}/environ").read_bytes
        )
    finally:
        await worker.stop()


@contextlib.asynccontextmanager
async def asked(worker: Worker, path: str) -> AsyncIterator[aiohttp.ClientResponse]:
    async with (
        aiohttp.ClientSession(connector=r_socket.WorkerConnector(worker, 1)) as client,
        client.get(
            f"http://r{path}", headers={"shiny-shared-secret": worker.spec.secret}
        ) as answer,
    ):
        yield answer


@pytest.mark.parametrize(
    "environment", [{}, {"A": "1", "B": "a=b\nc", "É": "ü\udcff", "EMPTY": ""}]
)
async def test_a_program_begins_with_exactly_its_variables_and_reads_on_where_they_end(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    line = begin.command(
        tmp_path, ["/bin/sh", "-c", "read rest; echo $rest; pwd; tr '\\0' '\\n' < /proc/$$/environ"]
    )
    process = await asyncio.create_subprocess_exec(
        *line, env={}, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate(begin.variables(environment) + b"and more\n")
    expected = "".join(f"{name}={value}\n" for name, value in environment.items()).encode(
        "utf-8", "surrogateescape"
    )
    assert said == f"and more\n{tmp_path}\n".encode() + expected


@pytest.mark.parametrize("environment", [{"A": "\0"}, {"A=B": "c"}])
def test_what_cannot_be_a_variable_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="null byte"):
        begin.variables(environment)


# What is where its socket was


class OnlyWorker:
    """A worker that each session has."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker

    @contextlib.asynccontextmanager
    async def of_session(self, _session: str) -> AsyncIterator[Worker]:
        yield self.worker


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[socket.socket]:
    """A socket of root's, as of the machine's other services."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "control.sock"))
        listening.listen()
        listening.setblocking(False)
        yield listening


@needs_root
@pytest.mark.parametrize("how", ["link", "another's socket"])
async def test_neither_requests_nor_sessions_reach_a_socket_that_is_not_the_apps(
    started: Start, victim: socket.socket, how: str
) -> None:
    worker = await started("echo")
    place = worker.socket_path
    asking = WorkerClient(cast(Workers, OnlyWorker(worker)))
    client = await asking.client(worker)
    headers = {"shiny-shared-secret": worker.spec.secret}
    async with client.get("http://r/", headers=headers) as answer:
        assert answer.status == 200
    assert is_sound(worker)
    place.rename(place.with_name("aside"))
    if how == "link":
        place.symlink_to(victim.getsockname())
    else:  # as by a link that is swapped after it was looked at
        os.link(victim.getsockname(), place)
    try:
        await asyncio.gather(*(refused(client, headers) for _ in range(3)))
        with pytest.raises(OSError, match=r"is no socket|leads to a socket of user 0"):
            await r_socket.connect(cast(Workers, OnlyWorker(worker)), "session", CIMultiDict())
        assert not is_sound(worker)
        heard = b""
        with contextlib.suppress(BlockingIOError):
            while True:
                with await accepted(victim) as connection:
                    heard += connection.recv(1000)
        assert heard == b""
    finally:
        await asking.close()


async def refused(client: aiohttp.ClientSession, headers: dict[str, str]) -> None:
    async with contextlib.AsyncExitStack() as answers:
        with pytest.raises(
            aiohttp.ClientConnectorError, match=r"is no socket|leads to a socket of user 0"
        ):
            while True:  # the kept connection to the app itself is used up first
                await answers.enter_async_context(client.get("http://r/", headers=headers))


async def accepted(listening: socket.socket) -> socket.socket:
    connection, _ = listening.accept()
    connection.setblocking(True)
    return connection


# Processes that it leaves

LEFT = {
    "another session": "os.setsid(); begun()",
    "undumpable, with no environment": "os.setsid(); libc.prctl(4, 0, 0, 0, 0); begun()",
    "deaf": "os.setsid(); [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; begun()",
    "a keeper of orphans, with children": (
        "libc.prctl(36, 1, 0, 0, 0); [os.fork() or (os.setsid(), os.fork()) for _ in '123']; "
        "begun()"
    ),
    "one that forks on and on": "begun()\nwhile True:\n  if os.fork(): os._exit(0)\n  os.setsid()",
    "a fork bomb": ("begun()\nwhile True:\n  try: os.fork()\n  except OSError: time.sleep(1)"),
}
PROGRAM = """\
import ctypes, os, signal, time
libc = ctypes.CDLL(None)
begun = lambda: open({mark!r}, "w").close()
if os.fork(): os._exit(0)
{left}
time.sleep(600)
"""


@needs_root
@pytest.mark.parametrize("what", LEFT)
async def test_no_process_that_a_worker_leaves_outlives_it(
    spec: MakeSpec, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    process.adopt_orphans()
    monkeypatch.setattr(unprivileged, "PROCESSES", 60)
    worker = Worker(dataclasses.replace(spec("intruder"), unix_id=UNIX_ID))
    await worker.start()
    mark = worker.folder / "tmp" / "begun"
    code = PROGRAM.format(mark=str(mark), left=LEFT[what])
    told = (
        "system2('env', c('-i', '/usr/bin/python3', '-I', '-S', '-c', "
        f"shQuote({json.dumps(code)})), wait = FALSE)"
    )
    async with asked(worker, f"/?{urlencode({'r': told})}") as answer:
        assert answer.status == 200
    await eventually(mark.exists, what)
    await asyncio.wait_for(worker.stop(), 40)
    assert processes_of(UNIX_ID) == []


def processes_of(unix_id: int) -> list[str]:
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            text = status.read_text()
            if f"Uid:\t{unix_id}\t" in text and "State:\tZ" not in text:
                found.append(text.partition("\n")[0])
    return found
