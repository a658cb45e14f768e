"""What serves the echo app: each peer opens sessions that send a text and wait for its echo."""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from websockets.asyncio.client import connect, unix_connect

from benchmarks.sessions import Echo, FramedEcho, PlainEcho, XhrPolling
from tests.support.apps import app
from tests.support.stack import StackProcess, free_port
from tests.support.visitor import Visitor, WebSocketWire


class Counting(Protocol):
    """Something that counts."""

    async def counters(self) -> Mapping[str, int]:
        """What it counted since its start; empty if it does not count."""
        ...


class Peer(Counting, Protocol):
    """Something that serves the echo app."""

    @property
    def name(self) -> str: ...

    def session(self) -> AbstractAsyncContextManager[Echo]:
        """Open one more session."""
        ...


@dataclass
class RAlone:
    """One R process, asked directly: by a unix socket's path, or by a TCP port."""

    at: Path | int
    process_id: int

    @property
    def name(self) -> str:
        return "R alone, unix socket" if isinstance(self.at, Path) else "R alone, TCP"

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Echo]:
        how: Any = (
            unix_connect(str(self.at), "ws://localhost/websocket/", compression=None, max_size=None)
            if isinstance(self.at, Path)
            else connect(f"ws://127.0.0.1:{self.at}/websocket/", compression=None, max_size=None)
        )
        async with how as socket:
            yield await PlainEcho(WebSocketWire(socket)).begin()

    async def counters(self) -> Mapping[str, int]:
        return {}


@dataclass
class Sheen:
    """The whole local stack: gateway, Lambda, agent, R, and back; by WebSocket and
    ``@connections``, or by xhr polling.
    """

    stack: StackProcess
    url: str
    polling: bool = False

    @property
    def name(self) -> str:
        return "Sheen, xhr polling" if self.polling else "Sheen, WebSocket"

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Echo]:
        if self.polling:
            async with XhrPolling(self.url) as wire:
                yield await FramedEcho(wire).begin()
        else:
            async with Visitor(self.url) as visitor:
                yield FramedEcho.of(visitor.conversation)

    async def counters(self) -> Mapping[str, int]:
        told = await asyncio.to_thread(self.stack.counters)
        return {
            "invocations": sum(told["invocations"].values()),
            "posts": told["posts"],
            "DynamoDB calls": sum(
                n for name, n in told["calls"].items() if name.startswith("dynamodb.")
            ),
        }


@asynccontextmanager
async def r_alone(folder: Path, unix: bool) -> AsyncIterator[RAlone]:
    """Run R with the app in ``folder`` on a unix socket (as the agent does, FACTS R2), or on a TCP
    port (as Shiny Server does).
    """
    with tempfile.TemporaryDirectory() as scratch:
        path, port = Path(scratch) / "r.sock", free_port()
        where = f'structure("{path}", mask = strtoi("0077", 8L))' if unix else str(port)
        process = await asyncio.create_subprocess_exec(
            "R", "--no-echo", "--no-save", "-e", f'shiny::runApp("{folder}", port = {where}, launch.browser = FALSE)',  # noqa: E501
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, start_new_session=True,  # noqa: E501
            env={**os.environ, "TMPDIR": scratch},
        )  # fmt: skip
        peer = RAlone(path if unix else port, process.pid)
        try:
            async with asyncio.timeout(60):
                while True:
                    try:
                        async with peer.session():
                            break
                    except OSError:
                        await asyncio.sleep(0.1)
            yield peer
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


@asynccontextmanager
async def sheen(folder: Path) -> AsyncIterator[Sheen]:
    """Run a local stack and publish the app in ``folder``."""
    with tempfile.TemporaryDirectory() as scratch:
        stack = StackProcess(Path(scratch) / "data", free_port())
        try:
            await asyncio.to_thread(stack.start)
        except AssertionError as error:
            log = stack.data.parent / f"{stack.data.name}.log"
            raise AssertionError(f"{error} {await asyncio.to_thread(log.read_text)}") from error
        try:
            url = await asyncio.to_thread(
                stack.publish, folder, "/echo", app_idle_timeout=0, simple_scheduler=250
            )
            await asyncio.to_thread(stack.wake, "/echo/")
            yield Sheen(stack, url)
        finally:
            await asyncio.to_thread(stack.stop)


@asynccontextmanager
async def echo_app() -> AsyncIterator[Path]:
    """The folder of the echo app that every peer serves."""
    with tempfile.TemporaryDirectory() as scratch:
        yield app(Path(scratch) / "echo")
