"""HTTP by hand: what a browser's library would hide (chunks, versions, odd paths, connections that
break) is what the tests look at.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web
from multidict import CIMultiDict

from tests.support.waiting import eventually

SOON = 30.0
"""Seconds after which what must come is missing."""


class Answer:
    """A response, whose body is still to come."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        version: str,
        status: int,
        headers: CIMultiDict[str],
        *,
        bodiless: bool,
    ) -> None:
        self.version = version
        self.status = status
        self.headers = headers
        self._reader = reader
        self._bodiless = bodiless
        self._ended = False

    def __getitem__(self, name: str) -> str:
        return self.headers.get(name, "")

    async def chunk(self) -> str:
        """The next chunk; empty at the end."""
        assert self["Transfer-Encoding"] == "chunked"
        if self._ended:
            return ""
        async with asyncio.timeout(SOON):
            size = int(await self._reader.readline(), 16)
            data = await self._reader.readexactly(size)
            assert await self._reader.readline() == b"\r\n"
        self._ended = size == 0
        return data.decode()

    async def body(self) -> str:
        """All of it."""
        if self._bodiless:
            return ""
        if self["Transfer-Encoding"] == "chunked":
            parts = []
            while part := await self.chunk():
                parts.append(part)
            return "".join(parts)
        async with asyncio.timeout(SOON):
            if "Content-Length" in self.headers:
                return (await self._reader.readexactly(int(self["Content-Length"]))).decode()
            return (await self._reader.read()).decode()

    async def exactly(self, size: int) -> str:
        """So many bytes as they come."""
        async with asyncio.timeout(SOON):
            return (await self._reader.readexactly(size)).decode()


class Connection:
    """One TCP connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int) -> Connection:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def send(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        version: str = "1.1",
    ) -> None:
        """Send a request and do not wait for the answer."""
        lines = [
            f"{method} {path} HTTP/{version}",
            *(f"{name}: {value}" for name, value in {"Host": "test", **(headers or {})}.items()),
        ]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b""))
        await self.writer.drain()

    async def answer(self, method: str = "GET", patience: float = SOON) -> Answer:
        """The answer's head."""
        async with asyncio.timeout(patience):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        version, status, *_ = head[0].split(" ")
        headers = CIMultiDict[str]()
        for line in head[1:-2]:
            name, _, value = line.partition(":")
            headers.add(name, value.strip())
        bodiless = method == "HEAD" or int(status) in (101, 204, 304)
        return Answer(
            self.reader, version.removeprefix("HTTP/"), int(status), headers, bodiless=bodiless
        )

    async def ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        version: str = "1.1",
    ) -> Answer:
        """Send a request; its answer's head."""
        await self.send(method, path, headers, body, version)
        return await self.answer(method)

    async def closed(self) -> bool:
        """Whether the server closes it, with nothing more to say."""
        async with asyncio.timeout(SOON):
            return await self.reader.read() == b""

    def abort(self) -> None:
        """Break it."""
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


class Server:
    """The server under test, as a client sees it. Each request has a connection of its own."""

    def __init__(self, runner: web.AppRunner) -> None:
        self._runner = runner
        self.port: int = runner.addresses[0][1]
        self._connections: list[Connection] = []

    async def connect(self) -> Connection:
        connection = await Connection.open(self.port)
        self._connections.append(connection)
        return connection

    async def ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes | str | None = None,
    ) -> Answer:
        """Ask, and take the answer's head only."""
        data = body.encode() if isinstance(body, str) else body
        return await (await self.connect()).ask(
            method, path, headers, b"" if data is None and method == "POST" else data
        )

    async def waiting(self, path: str, headers: dict[str, str] | None = None) -> Connection:
        """A POST that the server has taken, and that waits for its answer."""
        server = self._runner.server
        assert server is not None
        taken = server.requests_count
        connection = await self.connect()
        await connection.send("POST", path, headers, b"")
        await eventually(lambda: server.requests_count > taken)
        return connection

    async def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[Answer, str]:
        answer = await self.ask("GET", path, headers)
        return answer, await answer.body()

    async def post(
        self, path: str, body: bytes | str = b"", headers: dict[str, str] | None = None
    ) -> tuple[Answer, str]:
        answer = await self.ask("POST", path, headers, body)
        return answer, await answer.body()

    async def close(self) -> None:
        for connection in self._connections:
            await connection.close()
