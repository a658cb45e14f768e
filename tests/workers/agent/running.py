"""A whole agent: a process as ECS starts it, with the AWS endpoints that it calls."""

import asyncio
import contextlib
import json
import os
import random
import re
import shutil
import socket
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from chalicelib import layout
from chalicelib.apps import folders, versions
from chalicelib.apps.model import App
from chalicelib.configuration.above import NOTHING, Above
from chalicelib.instances import store
from chalicelib.instances.model import Instance, InstanceRef
from chalicelib.instances.secret import Purpose, key_for
from tests.support.unix_id import UNIX_ID
from tests.support.waiting import eventually

TREE = Path(__file__).resolve().parents[3]


LOCATION = "/echo"


APP_ID = "0123456789ab"


VERSION = "20261120T000000Z-0000"
USER = "ann"
"""The user of apps in folders."""
PATIENCE = 30.0
CAPACITY = 50


class Cloud:
    """What the agent calls besides the tables: Step Functions, its metadata, @connections."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.posts: list[tuple[str, str]] = []
        self.refuse: set[str] = set()

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_post("/", self._step_functions)
        application.router.add_get("/meta/task", self._task)
        application.router.add_post("/socket/@connections/{id}", self._post)
        return application

    def said(self, operation: str, token: str | None = None) -> list[dict[str, Any]]:
        return [
            body
            for name, body in self.calls
            if name == operation and token in (None, body["taskToken"])
        ]

    def frames(self, connection: str) -> str:
        return "".join(frame for to, frame in self.posts if to == connection)

    async def _step_functions(self, request: web.Request) -> web.Response:
        operation = request.headers["X-Amz-Target"].rpartition(".")[2]
        body = json.loads(await request.read())
        self.calls.append((operation, body))
        if body["taskToken"] in self.refuse:
            return web.json_response(
                {"__type": "com.amazonaws.swf#TaskTimedOut", "message": "over"}, status=400
            )
        return web.json_response({})

    async def _task(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {
                "TaskARN": "arn:task",
                "Containers": [{"Networks": [{"IPv4Addresses": [self.address]}]}],
            }
        )

    async def _post(self, request: web.Request) -> web.Response:
        self.posts.append((request.match_info["id"], await request.text()))
        return web.Response()


class Running:
    """One agent and its instance."""

    def __init__(
        self,
        ref: InstanceRef,
        secret: str,
        cloud: Cloud,
        process: Process,
        http: aiohttp.ClientSession,
    ) -> None:
        self.ref = ref
        self.secret = secret
        self.cloud = cloud
        self.process = process
        self.http = http
        self.log: list[dict[str, Any]] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            with contextlib.suppress(ValueError):
                self.log.append(json.loads(line))
                continue
            self.log.append({"message": line.decode(errors="replace"), "raw": True})

    async def ask(
        self, method: str, path: str, data: str | None = None, **headers: str
    ) -> tuple[int, str]:
        known = {
            "sheen-agent-key": key_for(self.secret, Purpose.AGENT),
            "sheen-instance": self.ref.instance_id,
        }
        sent = known | {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http.request(
            method, f"http://{self.cloud.address}:8080{path}", data=data, headers=sent
        ) as answer:
            return answer.status, await answer.text()

    async def ready(self) -> None:
        await eventually(
            lambda: self.cloud.said("SendTaskSuccess", "ready-token"), f"ready; the log: {self.log}"
        )
        store.mark_ready(self.ref, f"{self.cloud.address}:8080", "watch-1", time.time())
        assert (await self.ask("POST", "/watch", json.dumps({"token": "watch-1", "order": 1})))[
            0
        ] == 204

    async def page(self, session: str, above: int = 0) -> dict[str, Any]:
        """Take a seat, load the page, and return what the client in it is told."""
        assert store.take_seat(self.ref, session, time.time() + 45) is not None
        status, html = await self.ask(
            "GET",
            "/app/",
            sheen_session=session,
            sheen_base=LOCATION,
            sheen_above=str(above),
            Accept="text/html",
        )
        assert status == 200, html
        found = re.search(r'id="sheen-config">(.*?)</script>', html)
        assert found is not None
        config: dict[str, Any] = json.loads(found[1])
        return config

    async def say(self, session: str, connection: str, number: int, data: dict[str, Any]) -> None:
        """A message of Shiny's, the ``number``-th of the connection."""
        update = json.dumps({"method": "update", "data": data})
        frame = json.dumps([f"{number}#0|m|{update}"])
        assert (await self.ask("POST", f"/connections/{connection}", frame, sheen_session=session))[
            0
        ] == 200

    async def open(self, session: str, connection: str, output: str = "you said hi") -> None:
        """Speak as the client does until Shiny has answered the first message."""
        hello = {"sheen": 1, "id": f"id{connection}", "resume": False, "attempt": 1, "next": "0"}
        data = {"word": "hi", ".clientdata_output_echo_hidden": False, ".clientdata_url_search": ""}
        first = json.dumps({"method": "init", "data": data})
        for frame in (json.dumps(hello), json.dumps(["0#0|o|"]), json.dumps([f"1#0|m|{first}"])):
            assert (
                await self.ask("POST", f"/connections/{connection}", frame, sheen_session=session)
            )[0] == 200
        await eventually(
            lambda: output in self.cloud.frames(connection), f"an output on {connection}"
        )

    async def worker(self) -> dict[str, Any] | None:
        workers = await self.workers()
        assert len(workers) < 2
        return workers[0] if workers else None

    async def workers(self) -> list[dict[str, Any]]:
        workers: list[dict[str, Any]] = json.loads((await self.ask("GET", "/status"))[1])["workers"]
        return workers

    def row(self) -> Instance:
        row = store.get(self.ref)
        assert row is not None
        return row


Launch = Callable[..., Awaitable[Running]]


@pytest.fixture
async def launch(tables: None, apps: Path, fork_library: Path) -> AsyncIterator[Launch]:
    """Starts agents, each as a process, and ends them after the test."""
    running: list[Running] = []
    task = Path(tempfile.mkdtemp(prefix="sheen-task-"))
    task.chmod(0o755)  # noqa: ASYNC240
    (task / "tmp").mkdir()
    async with contextlib.AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())

        async def start(
            app: str = "echo",
            given_up: bool = False,
            spare: bool = False,
            active: str = VERSION,
            folder: Path | None = None,
            above: Above = NOTHING,
            **settings: Any,
        ) -> Running:
            if folder is not None:
                # On one machine a tree is a link.
                tree = task / "efs" / layout.tree(str(folder.parent))
                if not tree.is_symlink():
                    tree.parent.mkdir(parents=True)
                    tree.symlink_to(folder.parent)
                return await begin(folders.app_of(str(folder), USER, 0.0), above=above)
            version = task / "efs" / "apps" / APP_ID / VERSION
            if not version.exists():
                shutil.copytree(apps / app, version)
            App(
                LOCATION,
                app_id=APP_ID,
                unix_id=UNIX_ID,
                active_version=active,
                settings=settings,
                created_at=0,
                updated_at=0,
            ).save()
            versions.add(
                APP_ID, VERSION, bundle="b", kind="shiny-r", source="s", settings={}, now=0.0
            )
            return await begin(App.get(LOCATION), given_up=given_up, spare=spare)

        async def begin(
            app: App, given_up: bool = False, spare: bool = False, above: Above = NOTHING
        ) -> Running:
            own = app.active_version if app.run_as is not None else VERSION
            version_id = "spare.large" if spare else f"{app.app_id}.{own}"
            seen = store.in_slot(version_id, 0)
            instance = store.claim(
                version_id,
                0,
                app=app.name,
                capacity=CAPACITY,
                now=time.time(),
                seen=seen,
                above=above,
            )
            assert instance is not None
            cloud = Cloud(free_address())
            server = await stack.enter_async_context(TestServer(cloud.application()))
            url = str(server.make_url("/")).rstrip("/")
            environment = os.environ | {
                "PYTHONPATH": f"{TREE / 'chalice_app'}:{TREE / 'workers'}",
                "AWS_ENDPOINT_URL_SFN": url,
                "ECS_CONTAINER_METADATA_URI_V4": f"{url}/meta",
                "SHEEN_CONNECTIONS_URL": f"{url}/socket",
                "SHEEN_INSTANCE": str(instance.ref)
                if not given_up
                else f"{version_id}/0/ffffffffffffffff",
                "SHEEN_TASK_TOKEN": "ready-token",
                "SHEEN_EFS": str(task / "efs"),
                "TMPDIR": str(task / "tmp"),
                "SHEEN_CLIENT_DIR": str(task),
            }
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "agent",
                env=environment,
                stdout=PIPE,
                stderr=asyncio.subprocess.STDOUT,
                limit=1 << 20,
            )
            running.append(Running(instance.ref, instance.secret, cloud, process, http))
            return running[-1]

        yield start
        for one in running:
            if one.process.returncode is None:
                one.process.terminate()
                await asyncio.wait_for(one.process.wait(), PATIENCE)
    shutil.rmtree(task)


def free_address() -> str:
    """Return a loopback address on which nobody has port 8080."""
    while True:
        address = f"127.77.{random.randrange(1, 255)}.{random.randrange(1, 255)}"
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((address, 8080))
            return address
