"""A worker that serves an app in Python: started, told of, kept apart and ended as one in R is."""

import asyncio
import dataclasses
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import websockets.asyncio.client
from websockets.exceptions import InvalidStatus

from agent.failure import AppStartFailed
from agent.kinds.shiny_python import RUNTIME
from agent.processes.command import WorkerSpec
from agent.processes.starter import Starter
from agent.processes.worker import Worker, WorkerState

MakeSpec = Callable[..., WorkerSpec]
Start = Callable[..., Awaitable[Worker]]
CANARY = "AKIACANARY"


@pytest.fixture
async def start(spec: MakeSpec) -> AsyncIterator[Start]:
    """Starts workers of apps in Python as an instance does, and ends them all after the test."""
    workers: list[Worker] = []

    async def begin(app: str = "snake", entrypoint: str = "app:app", **more: Any) -> Worker:
        phases: list[str] = more.pop("phases", [])
        ours = dataclasses.replace(
            spec(app, number=len(workers) + 1),
            runtime=RUNTIME,
            entrypoint=entrypoint,
            **more,
        )
        workers.append(Worker(ours, on_phase=phases.append, starter=Starter().start))
        await workers[-1].start()
        return workers[-1]

    yield begin
    for worker in workers:
        await worker.stop()


async def ask(worker: Worker, path: str, secret: str | None, **more: Any) -> tuple[int, str]:
    headers = {"shiny-shared-secret": secret} if secret else {}
    connector = aiohttp.UnixConnector(str(worker.socket_path))
    method = more.pop("method", "GET")
    async with (
        aiohttp.ClientSession(connector=connector) as client,
        client.request(method, f"http://r{path}", headers=headers, **more) as answer,
    ):
        return answer.status, await answer.text()


class Session:
    """A Shiny session with a worker, without the relay."""

    def __init__(self, worker: Worker, **inputs: object) -> None:
        self.worker = worker
        self.inputs = inputs
        self.values: dict[str, Any] = {}
        self.errors: dict[str, Any] = {}

    async def __aenter__(self) -> "Session":
        self.socket = await websockets.asyncio.client.unix_connect(
            str(self.worker.socket_path),
            uri="ws://r/websocket/",
            additional_headers={"Shiny-Shared-Secret": self.worker.spec.secret},
            proxy=None,
        )
        hidden = {
            f".clientdata_output_{name}_hidden": False
            for name in ("heard", "who", "seen_by", "broken", "uploaded")
        }
        await self.tell("init", {**self.inputs, **hidden})
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.close()

    async def tell(self, method: str, data: object) -> None:
        await self.socket.send(json.dumps({"method": method, "data": data}))

    async def call(self, method: str, *arguments: object) -> Any:
        await self.socket.send(json.dumps({"method": method, "args": arguments, "tag": 7}))
        while True:
            message = json.loads(await asyncio.wait_for(self.socket.recv(), 10))
            if (message.get("response") or {}).get("tag") == 7:
                return message["response"].get("value")

    async def until(self, output: str) -> Any:
        while output not in self.values | self.errors:
            message = json.loads(await asyncio.wait_for(self.socket.recv(), 10))
            self.values.update(message.get("values") or {})
            self.errors.update(message.get("errors") or {})
        return (self.values | self.errors)[output]


async def test_it_is_served_reactively_and_only_to_who_knows_the_secret(start: Start) -> None:
    phases: list[str] = []
    worker = await start(phases=phases)
    assert phases == ["app"]
    status, page = await ask(worker, "/", worker.spec.secret)
    assert status == 200
    assert "shiny.js" in page or "shiny.min.js" in page
    assert (await ask(worker, "/", None))[0] == (await ask(worker, "/", "wrong"))[0] == 403
    with pytest.raises(InvalidStatus, match="403"):
        await websockets.asyncio.client.unix_connect(
            str(worker.socket_path), uri="ws://r/websocket/", proxy=None
        )
    async with Session(worker, said="a word") as session:
        assert await session.until("heard") == "heard: a word"


async def test_its_socket_is_its_users_own_and_goes_with_it_when_it_is_asked_to_end(
    start: Start,
) -> None:
    worker = await start()
    folder = worker.folder
    assert worker.socket_path.stat().st_mode & 0o777 == 0o600
    async with Session(worker, said="") as session:
        await session.until("heard")
        await asyncio.wait_for(worker.stop(), 4.5)  # before it is asked more firmly
    assert worker.state is WorkerState.EXITED
    assert not folder.exists()
    assert not list(worker.spec.directory.glob("**/__pycache__"))


async def test_it_finds_no_credentials_and_no_privileges(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "AWS_ACCESS_KEY_ID",
        "SHEEN_TASK_TOKEN",
        "SHEEN_BUCKET",
        "PYTHONPATH",
        "LD_PRELOAD_X",
    ):
        monkeypatch.setenv(name, CANARY)
    worker = await start(environment={"MINE": "1"})
    async with Session(worker, said="", pid=str(os.getpid()), file=None) as session:
        found = json.loads(await session.until("seen_by"))
    environment = found["environment"]
    assert environment["MINE"] == "1"
    assert not [name for name in environment if name.startswith(("AWS_", "SHEEN_", "ECS_"))]
    assert "PYTHONPATH" not in environment
    assert CANARY not in json.dumps(found["environment"])
    assert worker.spec.secret not in json.dumps(found)
    assert found["stdin"] == ""
    assert environment["WORKER_ID"] == worker.spec.worker_id
    assert found["directory"] == found["path"][0] == str(worker.spec.directory)
    status = dict(line.split(":\t", 1) for line in found["status"].splitlines() if ":\t" in line)
    assert status["NoNewPrivs"] == "1"
    if worker.spec.unix_id is not None:
        user = str(worker.spec.unix_id)
        assert status["Uid"].split() == status["Gid"].split() == [user] * 4
        assert {
            int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
        } == {0}
        assert found["agent_environ"] == ""
        assert found["write_app"] is False


async def test_what_went_wrong_inside_is_not_for_visitors(start: Start) -> None:
    worker = await start()
    async with Session(worker, said="") as session:
        assert "inside story" not in json.dumps(await session.until("broken"))
    open_one = await start(sanitize_errors=False)
    async with Session(open_one, said="") as session:
        assert "inside story" in json.dumps(await session.until("broken"))


async def test_a_sessions_upload_names_its_process(start: Start) -> None:
    worker = await start()
    async with Session(worker, said="") as session:
        job = await session.call("uploadInit", [{"name": "a.txt", "size": 5, "type": "text/plain"}])
        assert job["uploadUrl"].endswith(f"?w={worker.spec.worker_id}")
        assert (
            await ask(
                worker, "/" + job["uploadUrl"], worker.spec.secret, method="POST", data=b"words"
            )
        )[0] == 200
        await session.call("uploadEnd", job["jobId"], "file")
        assert await session.until("uploaded") == "words"


async def test_the_versions_own_packages_come_first(start: Start, apps: Path) -> None:
    library = apps / "library"
    (library / "polite").mkdir(parents=True)
    (library / "polite" / "__init__.py").write_text("BOW = 'deep'\n")
    app = apps / "bowing"
    app.mkdir()
    (app / "main.py").write_text(
        "import polite\nfrom shiny import App, ui\nbower = "
        "App(ui.page_fluid(polite.BOW), None)\nprint('loaded', flush=True)\n"
    )
    worker = await start("bowing", "main:bower", library=library)
    assert ">deep<" in (await ask(worker, "/", worker.spec.secret))[1]
    assert "loaded" in worker.said


async def test_an_app_of_shiny_express_is_served(start: Start, apps: Path) -> None:
    (apps / "express").mkdir()
    (apps / "express" / "app.py").write_text("from shiny.express import ui\nui.h2('expressly')\n")
    for entrypoint in ("app:app", "shiny.express.app:app_2e_py"):
        worker = await start("express", entrypoint)
        assert "expressly" in (await ask(worker, "/", worker.spec.secret))[1]


async def test_a_failure_at_the_start_is_told_with_what_python_said(
    start: Start, apps: Path
) -> None:
    (apps / "wrong").mkdir()
    (apps / "wrong" / "app.py").write_text("import nothing_of_that_name\n")
    with pytest.raises(
        AppStartFailed, match="while it was starting: Python ended with exit status 1"
    ) as caught:
        await start("wrong")
    assert "No module named 'nothing_of_that_name'" in caught.value.said
