"""Half requests do not stay open."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from infra.emulator.endpoint.slow_clients import SLOWEST, SlowClients, is_too_slow

LATER = 10_000.0
WAIT = 5.0


class House:
    """A server that answers when it has the whole body."""

    def __init__(self) -> None:
        self.got = asyncio.Event()

    async def start(self) -> None:
        async def answer(request: web.Request) -> web.Response:
            with self.slow.serving(request):
                self.got.set()
                return web.Response(text=str(len(await request.read())))

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self.runner.setup()
        server = self.runner.server
        assert server is not None
        self.slow = SlowClients(lambda: server.connections)
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()

    async def send(self, data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.runner.addresses[0][1])
        writer.write(data)
        await writer.drain()
        return reader, writer

    async def seen(self, connections: int) -> None:
        assert self.runner.server is not None
        async with asyncio.timeout(WAIT):
            while len(self.runner.server.connections) < connections:  # noqa: ASYNC110 # nothing tells of it
                await asyncio.sleep(0.001)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    await made.start()
    yield made
    await made.runner.cleanup()


@pytest.mark.parametrize("half", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-"])
async def test_a_connection_whose_request_does_not_come_is_ended(house: House, half: bytes) -> None:
    reader, writer = await house.send(half)
    await house.seen(1)
    now = asyncio.get_running_loop().time()
    assert house.slow.look(now) == 0, "it has just come"
    assert house.slow.look(now + LATER) == 1
    with contextlib.suppress(ConnectionResetError):  # what was sent is not read any more
        async with asyncio.timeout(WAIT):
            assert await reader.read() == b""
    writer.close()


async def test_a_body_that_does_not_come_is_waited_for_no_longer(house: House) -> None:
    reader, writer = await house.send(
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf"
    )
    async with asyncio.timeout(WAIT):
        await house.got.wait()
    now = asyncio.get_running_loop().time()
    assert house.slow.look(now) == 0
    assert house.slow.look(now + LATER) == 1
    async with asyncio.timeout(WAIT):
        assert b"200" not in await reader.read()
    writer.close()


async def test_a_connection_that_was_served_is_kept(house: House) -> None:
    reader, writer = await house.send(
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nfour"
    )
    async with asyncio.timeout(WAIT):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    assert house.slow.look(asyncio.get_running_loop().time() + LATER) == 0
    writer.close()


@given(st.integers(0, 10**9), st.floats(0, 10**5), st.floats(0, 100))
def test_a_body_at_a_fair_pace_is_never_too_slow(
    size: int, seconds: float, patience: float
) -> None:
    assert not is_too_slow(size, min(seconds, patience), patience)
    assert not is_too_slow(int(SLOWEST * seconds) + 1, seconds, patience)
