"""What stands in the place of R's WebSocket, of @connections, and of the pages of sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import unquote

from aiohttp import web
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.asyncio.server import Server, ServerConnection, unix_serve

from agent.http.asking import AppRequest
from agent.http.page_requests import PageRequests
from agent.http.session_pages import SessionPages


class StoppedClock:
    """Goes only when a test says so: a slow machine makes nobody late."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class MarkedPages(SessionPages):
    """Marks each page with its session and base, in place of the relay client."""

    def __init__(self, mark: str = "<!--{session} {base}-->") -> None:
        self.requests = self._requests = PageRequests()
        self.not_pages: list[str] = []
        self._mark = mark

    def with_client(self, html: bytes, visit: AppRequest) -> bytes:
        """Put the mark into the page."""
        mark = self._mark.format(session=visit.session, base=visit.base).encode()
        return html.replace(b"</head>", mark + b"</head>")

    def cookies(self, visit: AppRequest) -> list[str]:
        """Return none."""
        return []

    def left(self, session_id: str) -> None:
        """Note that no page came."""
        self.not_pages.append(session_id)


class FakeR:
    """Echoes, unless told otherwise."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.connections: list[ServerConnection] = []
        self.received: list[str] = []
        self.handler: Callable[[ServerConnection], Awaitable[None]] = self.echo
        self._server: Server | None = None

    async def start(self) -> None:
        self._server = await unix_serve(self._handle, self.path, compression=None, max_size=None)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def connect(self, session_id: str) -> ClientConnection:
        return await unix_connect(
            self.path, uri="ws://r/websocket/", compression=None, max_size=None
        )

    async def _handle(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        await self.handler(connection)

    async def echo(self, connection: ServerConnection) -> None:
        async for message in connection:
            assert isinstance(message, str)
            self.received.append(message)
            await connection.send("echo " + message)


class FakeConnections:
    """Takes posts, answers as told, and remembers who said what when."""

    def __init__(self) -> None:
        self.frames: dict[str, list[str]] = {}
        self.times: list[float] = []
        self.deleted: list[str] = []
        self.answers: list[int] = []  # statuses of the next posts; 200 after these
        self.delay = 0.0
        self.in_flight = 0
        self.most_in_flight = 0
        self.paused = asyncio.Event()
        self.paused.set()
        self.headers: list[dict[str, str]] = []
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/socket/@connections/{id}", self._post)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/socket"

    async def stop(self) -> None:
        self.paused.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _post(self, request: web.Request) -> web.Response:
        connection = unquote(request.match_info["id"])
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        if request.method == "DELETE":
            self.deleted.append(connection)
            return web.Response(status=204)
        self.times.append(asyncio.get_running_loop().time())
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        body = await request.text()
        assert len(body.encode()) <= 131_072
        await self.paused.wait()
        await asyncio.sleep(self.delay)
        self.in_flight -= 1
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            self.frames.setdefault(connection, []).append(body)
        return web.Response(status=status)
