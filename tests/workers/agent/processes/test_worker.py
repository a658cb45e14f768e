"""One R process: its start, its failures, its end, and what is left of it."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
import websockets.asyncio.client
from websockets.exceptions import ConnectionClosed

from agent.failure import AppInitTimeout, AppStartFailed
from agent.processes.command import WorkerSpec
from agent.processes.worker import Worker, WorkerState
from machine import process

Start = Callable[..., Awaitable[Worker]]
MakeSpec = Callable[..., WorkerSpec]


@contextlib.contextmanager
def nothing_left(*marks: str) -> Iterator[None]:
    """Fail when a process with one of the marks in its command line is there at the end."""
    yield
    left = [line for line in command_lines() if any(mark in line for mark in marks)]
    assert not left


def command_lines() -> list[str]:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return lines


async def ask(worker: Worker, path: str, secret: str | None) -> int:
    headers = {"shiny-shared-secret": secret} if secret else {}
    connector = aiohttp.UnixConnector(str(worker.socket_path))
    async with (
        aiohttp.ClientSession(connector=connector) as client,
        client.get(f"http://r{path}", headers=headers) as answer,
    ):
        await answer.read()
        return answer.status


@pytest.mark.parametrize(("app", "page"), [("echo", "/"), ("two", "/dot.svg")])
async def test_r_serves_both_forms_of_an_app_and_only_to_who_knows_the_secret(
    started: Start, app: str, page: str
) -> None:
    worker = await started(app)
    assert worker.state is WorkerState.READY
    assert await ask(worker, page, worker.spec.secret) == 200
    assert await ask(worker, page, None) == 403
    assert await ask(worker, "/", "wrong") == 403


async def test_a_websocket_without_the_secret_is_closed_at_once(started: Start) -> None:
    worker = await started("echo")
    async with websockets.asyncio.client.unix_connect(
        str(worker.socket_path), uri="ws://r/websocket/", proxy=None
    ) as socket:
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 5)


async def test_an_apps_rprofile_is_read_in_its_folder(started: Start) -> None:
    worker = await started("two")
    assert "Rprofile was read" in worker.said


async def test_the_socket_and_the_folder_are_for_the_apps_user_alone_and_go_with_it(
    started: Start,
) -> None:
    worker = await started("echo")
    folder = worker.folder
    assert worker.socket_path.stat().st_mode & 0o077 == 0
    assert worker.has_socket()
    for name in ("run", "tmp", "home"):
        assert (folder / name).stat().st_mode & 0o777 == 0o700
    if worker.spec.unix_id is not None:
        assert folder.stat().st_mode & 0o777 == 0o750
        assert (folder.stat().st_uid, folder.stat().st_gid) == (0, worker.spec.unix_id)
    await worker.stop()
    assert worker.state is WorkerState.EXITED
    assert not folder.exists()


async def test_a_crash_at_the_start_gives_what_r_said(spec: MakeSpec) -> None:
    worker = Worker(spec("crash"))
    with pytest.raises(AppStartFailed, match="exit status 1") as caught:
        await worker.start()
    assert "the file sales.csv is missing" in caught.value.said
    assert "reading the data" in caught.value.said
    assert worker.spec.secret not in caught.value.said
    assert worker.state is WorkerState.EXITED


RUN_APP = {
    "at the end": "library(shiny)\nrunApp(shinyApp(fluidPage('a'), function(input, output) {}))\n",
    "before the end": "app <- shiny::shinyApp('a', function(input, output) {})\nshiny::runApp(app)\napp\n",  # noqa: E501
    "by a gadget": (
        "library(shiny)\nrunGadget(fluidPage('a'), function(input, output) {}, viewer = "
        "function(url) {})\n"
    ),
}


@pytest.mark.parametrize("how", RUN_APP)
async def test_an_app_that_calls_run_app_is_told_so_and_r_ended(
    spec: MakeSpec, apps: Path, how: str
) -> None:
    (apps / "nested").mkdir()
    (apps / "nested" / "app.R").write_text(RUN_APP[how])
    worker = Worker(spec("nested"))
    with pytest.raises(
        AppStartFailed,
        match=r"calls runApp\(\), which a hosted app must not: let app.R end with shinyApp\(ui, "
        r"server\)",
    ) as caught:
        await worker.start()
    assert "the app calls runApp()" in caught.value.said
    assert worker.state is WorkerState.EXITED


async def test_handlers_of_on_stop_run_when_r_is_asked_to_stop(spec: MakeSpec, apps: Path) -> None:
    (apps / "last").mkdir()
    (apps / "last" / "app.R").write_text(
        "library(shiny)\nonStop(function() cat('the last words\\n'))\nshinyApp('a', "
        "function(input, output) {})\n"
    )
    worker = Worker(spec("last"))
    await worker.start()
    await worker.stop()
    assert "the last words" in worker.said and "NULL" not in worker.said
    assert worker.returncode == 0


async def test_a_folder_without_an_app_is_told(spec: MakeSpec, apps: Path) -> None:
    (apps / "empty").mkdir()
    with pytest.raises(AppStartFailed) as caught:
        await Worker(spec("empty")).start()
    assert "app.R or server.R" in caught.value.said


async def test_a_folder_that_is_gone_is_told(spec: MakeSpec) -> None:
    with pytest.raises(AppStartFailed, match="No such file or directory"):
        await Worker(spec("missing")).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start R as another user")
async def test_a_folder_that_the_apps_user_cannot_read_is_told(spec: MakeSpec, apps: Path) -> None:
    (apps / "echo").chmod(0o700)
    with pytest.raises(AppStartFailed) as caught:
        await Worker(spec("echo")).start()
    assert "cannot be read by the app's user" in caught.value.said


async def test_a_start_slower_than_app_init_timeout_is_ended(spec: MakeSpec) -> None:
    worker = Worker(spec("slow", init_timeout=6.0))
    with pytest.raises(AppInitTimeout, match="app_init_timeout") as caught:
        await worker.start()
    assert "thinking" in caught.value.said
    assert worker.state is WorkerState.EXITED


async def test_phases_come_in_order_and_cannot_be_printed_by_accident(spec: MakeSpec) -> None:
    phases: list[str] = []
    worker = Worker(spec("echo"), on_phase=phases.append)
    await worker.start()
    assert phases == ["app"]
    assert " ready" not in worker.said
    await worker.stop()


async def test_a_killed_r_is_noticed_at_once_and_told_as_unasked(spec: MakeSpec) -> None:
    ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    worker = Worker(spec("echo"), on_exit=lambda _worker, unasked: ended.set_result(unasked))
    await worker.start()
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    assert await asyncio.wait_for(ended, 3)
    assert worker.returncode == -signal.SIGKILL
    assert not worker.folder.exists()


async def test_a_stop_is_not_told_as_unasked(spec: MakeSpec) -> None:
    ended: list[bool] = []
    worker = Worker(spec("echo"), on_exit=lambda _worker, unasked: ended.append(unasked))
    await worker.start()
    await asyncio.gather(worker.stop(), worker.stop())
    assert ended == [False]


async def test_what_ignores_signals_and_what_left_its_group_is_killed(
    spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    process.adopt_orphans()
    monkeypatch.setattr(
        "agent.processes.worker.STOP_STEPS", ((signal.SIGINT, 0.3), (signal.SIGTERM, 0.3))
    )
    with nothing_left("sleep 7321", "sleep 7322"), pytest.raises(AppInitTimeout):
        await Worker(spec("stubborn", init_timeout=1.5)).start()


async def test_an_orphan_that_holds_the_pipe_delays_nothing(started: Start) -> None:
    process.adopt_orphans()
    with nothing_left("sleep 7323"):
        worker = await started("orphan")
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        await asyncio.wait_for(worker.gone(), 5)


async def test_a_stop_before_and_during_the_start_wins(spec: MakeSpec) -> None:
    early = Worker(spec("echo"))
    await early.stop()
    with pytest.raises(AppStartFailed, match="stopped before"):
        await early.start()
    worker = Worker(spec("slow"))
    starting = asyncio.create_task(worker.start())
    # A state, not an event, is what is public.
    while worker.state is not WorkerState.STARTING:  # noqa: ASYNC110
        await asyncio.sleep(0)
    await worker.stop()
    with pytest.raises(AppStartFailed, match="while it was starting"):
        await starting


async def test_a_cancelled_start_leaves_nothing(spec: MakeSpec) -> None:
    phases: asyncio.Queue[str] = asyncio.Queue()
    worker = Worker(spec("slow"), on_phase=phases.put_nowait)
    starting = asyncio.create_task(worker.start())
    assert await phases.get() == "app"
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert worker.state is WorkerState.EXITED
    assert worker.returncode is not None


async def test_an_app_that_floods_its_log_does_not_hold_up_the_agent(started: Start) -> None:
    worker = await started("flood")
    loop = asyncio.get_running_loop()
    asking = asyncio.create_task(ask(worker, "/flood", worker.spec.secret))
    longest, last, end = 0.0, loop.time(), loop.time() + 2.0
    while (now := loop.time()) < end:
        longest, last = max(longest, now - last), now
        await asyncio.sleep(0.005)
    assert "flood" in worker.said
    assert longest < 0.25
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(aiohttp.ClientError):
        await asking
    await asyncio.wait_for(worker.gone(), 5)
