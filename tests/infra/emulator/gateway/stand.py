"""A gateway on a free port for these tests, and functions that are Python callables."""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import os
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from aiohttp import web
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close

from infra.emulator.clock import Clock
from infra.emulator.faults import FaultRates, Faults
from infra.emulator.gateway import (
    AWS,
    GatewayLimits,
    Invocation,
    RestApi,
    RestRoute,
    RestRoutes,
    TokenBucket,
    WebSocketApi,
    WebSocketRoutes,
)

PATIENCE = 30.0
Function = Callable[[dict[str, Any]], Any]


def ok(event: dict[str, Any]) -> dict[str, Any]:
    return {"statusCode": 200}


class FakeInvoker:
    """Runs Python functions as Lambda functions, and remembers the events. They may be async,
    raise, or give bytes.
    """

    def __init__(self) -> None:
        self.functions: dict[str, Function] = {}
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._came = asyncio.Condition()

    async def invoke(self, function: str, event: bytes) -> Invocation:
        parsed = json.loads(event)
        async with self._came:
            self.events.append((function, parsed))
            self._came.notify_all()
        run: Function = self.functions.get(function, ok)
        answer = run(parsed)
        if inspect.isawaitable(answer):
            answer = await answer
        if isinstance(answer, Invocation):
            return answer
        return Invocation(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

    def invoke_event(self, function: str, event: bytes) -> None:
        raise AssertionError("the gateway waits for its functions")

    def of(self, function: str) -> list[dict[str, Any]]:
        return [event for name, event in self.events if name == function]

    def bodies(self) -> list[str]:
        return [event["body"] for event in self.of("message")]

    async def seen(self, function: str, count: int = 1) -> list[dict[str, Any]]:
        """The function's events, once there are `count` of them."""
        async with asyncio.timeout(PATIENCE), self._came:
            await self._came.wait_for(lambda: len(self.of(function)) >= count)
        return self.of(function)


@dataclass
class Gateway:
    """A running gateway: everything that a test may look at or turn."""

    invoker: FakeInvoker
    faults: Faults
    clock: Clock
    rest: RestApi
    sockets: WebSocketApi
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/socket"

    async def settled(self) -> None:
        """Return when no connection is open and no function of the WebSocket API runs."""
        async with asyncio.timeout(PATIENCE):
            # Nothing tells of both.
            while self.sockets.open_connections or self.sockets._tasks:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    def connections_url(self, connection_id: str) -> str:
        return f"{self.url}/socket/@connections/{connection_id.replace('=', '%3D')}"


class World:
    """The world's time, for a clock; it passes only when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def passes(self, seconds: float, clock: Clock) -> None:
        """Let time pass; the clock's timers follow."""
        self.now += seconds
        clock.set_speed(clock.speed)


@asynccontextmanager
async def gateway(
    *,
    limits: GatewayLimits = AWS,
    faults: FaultRates | None = None,
    binary: tuple[str, ...] = ("*/*",),
    speed: float = 1.0,
    body: str = "unread",
    stage: TokenBucket | None = None,
    compression: int | None = None,
    source: Callable[[], float] = time.monotonic,
) -> AsyncIterator[Gateway]:
    """A gateway with the routes that Chalice makes, dispatching as the stack's one endpoint does.

    `compression` is the REST API's minimum compression size. `body` says what that did with the
    body of a post: left it "unread", "read" it, or also "passed" it on.
    """
    invoker, clock, mishaps = FakeInvoker(), Clock(speed, source=source), Faults(faults)
    every = frozenset({"ANY"})
    routes = RestRoutes(
        (RestRoute("/", every, "page"), RestRoute("/{proxy+}", every, "page")),
        binary,
        minimum_compression=compression,
    )
    rest = RestApi(routes, invoker, mishaps, clock, limits=limits, stage=stage)
    sockets = WebSocketApi(
        WebSocketRoutes("connect", "message", "disconnect"),
        invoker,
        mishaps,
        clock,
        limits=limits,
        stage=stage,
    )

    async def dispatch(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await sockets.handle(request)
        if "/@connections/" in request.raw_path:
            read = None if body == "unread" else await request.read()
            return await sockets.manage(request, read if body == "passed" else None)
        return await rest.handle(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", dispatch)

    async def stop(_: web.Application) -> None:
        await sockets.close()

    app.on_shutdown.append(stop)
    runner = web.AppRunner(
        app,
        max_line_size=65_536,
        max_field_size=65_536,
        auto_decompress=False,
        access_log=None,
        shutdown_timeout=1.0,
    )
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield Gateway(invoker, mishaps, clock, rest, sockets, runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def close_of(client: ClientConnection) -> Close | None:
    """How the gateway closes this connection: its close frame, or None when there is none."""
    with pytest.raises(ConnectionClosed) as closed:
        async with asyncio.timeout(PATIENCE):
            while True:
                await client.recv()
    return closed.value.rcvd


class RawFrame(NamedTuple):
    """A frame as it was on the wire."""

    opcode: int
    fin: bool
    data: bytes


def frame(opcode: int, data: bytes, *, fin: bool = True) -> bytes:
    """A client's frame, masked."""
    mask = os.urandom(4)
    if len(data) < 126:
        size = struct.pack("!B", 0x80 | len(data))
    elif len(data) < 65536:
        size = struct.pack("!BH", 0x80 | 126, len(data))
    else:
        size = struct.pack("!BQ", 0x80 | 127, len(data))
    masked = bytes(byte ^ mask[number % 4] for number, byte in enumerate(data))
    return bytes([opcode | (0x80 if fin else 0)]) + size + mask + masked


def upgrade(path: str = "/socket", **headers: str) -> bytes:
    """A client's handshake."""
    lines = {
        "Host": "gateway.test",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"GET {path} HTTP/1.1\r\n{head}\r\n".encode()


@dataclass
class RawClient:
    """A WebSocket client that sends and sees every byte."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    head: str = field(default="")

    async def read_head(self) -> str:
        async with asyncio.timeout(PATIENCE):
            self.head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        return self.head

    async def read_frame(self) -> RawFrame:
        async with asyncio.timeout(PATIENCE):
            first, second = await self.reader.readexactly(2)
            assert not second & 0x80, "a server does not mask"
            size = second
            if size == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
            return RawFrame(first & 0x0F, bool(first & 0x80), await self.reader.readexactly(size))

    async def read_close(self) -> int:
        """The code of the close frame, which must be next."""
        closing = await self.read_frame()
        assert closing.opcode == 8
        return int.from_bytes(closing.data[:2], "big")


@asynccontextmanager
async def raw_client(port: int) -> AsyncIterator[RawClient]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield RawClient(reader, writer)
    finally:
        writer.transport.abort()
