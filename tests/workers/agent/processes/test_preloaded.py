"""Workers that are forked from a pre-loaded R: like those of a fresh one, apart from each other,
and independent of it.
"""

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agent.failure import AppInitTimeout, AppStartFailed
from agent.processes import fresh, preloading
from agent.processes.command import WorkerSpec
from agent.processes.preloaded import NoFork, PreloadedProcess
from agent.processes.r_process import Starter as Start
from agent.processes.starter import Starter
from agent.processes.worker import Worker, WorkerState
from machine import room

MakeSpec = Callable[..., WorkerSpec]
Serve = Callable[..., Awaitable[Worker]]


@pytest.fixture
async def serve(spec: MakeSpec, preloaded: PreloadedProcess) -> AsyncIterator[Serve]:
    """Starts forked workers, unless told otherwise, and ends them after the test."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(
            app: str, starter: Start = preloaded.fork, number: int = 1, **changes: Any
        ) -> Worker:
            worker = Worker(
                dataclasses.replace(spec(app, number=number), **changes), starter=starter
            )
            stack.push_async_callback(worker.stop)
            await worker.start()
            return worker

        yield start


async def ask(worker: Worker, query: str = "") -> Any:
    headers = {"shiny-shared-secret": worker.spec.secret}
    connector = aiohttp.UnixConnector(str(worker.socket_path))
    async with (
        aiohttp.ClientSession(connector=connector) as client,
        client.get(f"http://r/?{query}", headers=headers) as answer,
    ):
        return json.loads(await answer.text())


async def test_an_app_finds_the_same_r_whether_forked_or_fresh(
    serve: Serve, preloaded: PreloadedProcess
) -> None:
    variables = {"LEVEL": "a%0Ab\nc=d", "TZ": "Asia/Tokyo"}
    one, other = [
        await ask(await serve("mirror", starter, environment=variables))
        for starter in (fresh.start, preloaded.fork)
    ]
    assert one.pop("environment").keys() == other.pop("environment").keys()
    assert one == other
    assert one["level"] == "a%0Ab\nc=d"
    assert one["zone"] == "Asia/Tokyo"
    assert one["jit"] == 3


async def test_no_two_workers_share_a_token_a_random_number_or_a_folder(serve: Serve) -> None:
    workers = await asyncio.gather(*(serve("random", number=number) for number in range(1, 6)))
    said = [await ask(worker) for worker in workers]
    for name in said[0]:
        assert len({json.dumps(each[name]) for each in said}) == len(said), name
    await workers[0].stop()
    assert all(os.path.isdir(each["temporary"]) for each in said[1:])  # noqa: PTH112, ASYNC240


async def test_a_forked_worker_that_fails_says_so_as_a_fresh_one_does(
    spec: MakeSpec, preloaded: PreloadedProcess, apps: Path
) -> None:
    worker = Worker(spec("crash"), starter=preloaded.fork)
    with pytest.raises(AppStartFailed, match="exit status 1") as caught:
        await worker.start()
    assert "the file sales.csv is missing" in caught.value.said
    with pytest.raises(AppInitTimeout):
        await Worker(spec("slow", init_timeout=1.0), starter=preloaded.fork).start()
    with pytest.raises(AppStartFailed, match="No such file or directory"):
        await Worker(spec("missing"), starter=Starter(preloaded).start).start()
    if os.geteuid() == 0:
        (apps / "echo").chmod(0o700)
        with pytest.raises(AppStartFailed):
            await Worker(spec("echo"), starter=preloaded.fork).start()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
async def test_a_workers_death_hurts_neither_the_preloaded_r_nor_another_worker(
    serve: Serve, preloaded: PreloadedProcess, number: signal.Signals
) -> None:
    one, other = await serve("mirror"), await serve("mirror", number=2)
    assert one.pid is not None
    os.kill(one.pid, number)
    await asyncio.wait_for(one.gone(), 10)
    assert one.returncode is not None and one.returncode != 0
    assert preloaded.alive
    assert (await ask(other))["jit"] == 3
    assert (await serve("mirror", number=3)).state is WorkerState.READY


async def test_the_preloaded_rs_death_hurts_no_worker_and_the_next_ones_are_fresh(
    serve: Serve, fork_library: Path
) -> None:
    own = PreloadedProcess()
    now = [0.0]
    made: list[PreloadedProcess] = []

    def make() -> PreloadedProcess:
        made.append(PreloadedProcess())
        return made[-1]

    starter = Starter(own, make, lambda: now[0])
    try:
        worker = await serve("mirror", starter.start)
        assert is_forked(worker)
        os.kill(own.pid, signal.SIGKILL)
        second = await serve("mirror", starter.start, number=2)
        assert not is_forked(second)
        assert (await ask(worker))["jit"] == (await ask(second))["jit"] == 3
        now[0] = 61.0
        assert is_forked(await serve("mirror", starter.start, number=3))
    finally:
        starter.close()


def is_forked(worker: Worker) -> bool:
    return b"preloaded.R" in Path(f"/proc/{worker.pid}/cmdline").read_bytes()


async def test_what_an_r_reads_at_its_start_gets_a_fresh_one(
    serve: Serve, preloaded: PreloadedProcess, tmp_path: Path
) -> None:
    starter = Starter(preloaded)
    assert is_forked(await serve("echo", starter.start))
    assert not is_forked(await serve("two", starter.start, number=2))  # has an .Rprofile
    assert not is_forked(await serve("echo", starter.start, number=3, preload=False))
    assert not is_forked(
        await serve("echo", starter.start, number=4, environment={"R_MAX_VSIZE": "1Gb"})
    )


async def test_a_package_of_the_apps_own_in_another_version_gets_a_fresh_r(
    serve: Serve, preloaded: PreloadedProcess, tmp_path: Path
) -> None:
    loaded = await preloaded.versions()
    for name, version in (("httpuv", loaded["httpuv"]), ("notloaded", "1.0")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "DESCRIPTION").write_text(f"Package: {name}\nVersion: {version}\n")
    assert preloading.other_versions(tmp_path, loaded) == []
    (tmp_path / "rlang").mkdir()
    (tmp_path / "rlang" / "DESCRIPTION").write_text("Package: rlang\nVersion: 0.0.1\n")
    assert preloading.other_versions(tmp_path, loaded) == ["rlang"]
    os.chmod(tmp_path, 0o755)  # noqa: PTH101, S103
    assert not is_forked(await serve("echo", Starter(preloaded).start, library=tmp_path))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give workers users of their own")
async def test_an_app_cannot_touch_the_preloaded_r(
    serve: Serve, preloaded: PreloadedProcess
) -> None:
    worker = await serve("probe")
    found = await ask(worker, f"probe={preloaded.pid}&other=/etc/hostname")
    assert found["agent_signal"] is False
    assert found["agent_environ"] == ""
    assert found["agent_fds"] == []
    status = await asyncio.to_thread(Path(f"/proc/{preloaded.pid}/status").read_text)
    [capabilities] = [
        int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff")
    ]
    for_rooms = 1 << 18 | 1 << 21 if room.possible() else 0  # sys_chroot, sys_admin
    assert capabilities == 1 << 6 | 1 << 7 | 1 << 8 | for_rooms  # setgid, setuid, setpcap


async def test_without_the_library_or_after_its_end_there_is_no_fork(
    spec: MakeSpec, fork_library: Path, tmp_path: Path
) -> None:
    with pytest.raises(NoFork, match=r"fork\.so is not there"):
        PreloadedProcess(tmp_path / "fork.so")
    own = PreloadedProcess()
    os.kill(own.pid, signal.SIGKILL)
    try:
        with pytest.raises(NoFork, match="has ended"):
            await own.fork(spec("echo"), tmp_path, "mark")
    finally:
        own.close()


async def test_a_start_that_is_given_up_in_the_middle_of_a_fork_confuses_no_later_one(
    spec: MakeSpec, fork_library: Path, serve: Serve
) -> None:
    own = PreloadedProcess()
    starter = Starter(own)
    try:
        await own.versions()
        os.kill(own.pid, signal.SIGSTOP)  # so that the answer is late
        starting = asyncio.create_task(Worker(spec("echo"), starter=own.fork).start())
        while not own._lock.locked():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        os.kill(own.pid, signal.SIGCONT)
        worker = await serve("mirror", starter.start)
        assert not is_forked(worker)
        assert (await ask(worker))["jit"] == 3
    finally:
        starter.close()
