"""Floods from either side: the agent's memory stays bounded, who floods is told, and the other
sessions of the instance go on.
"""

import asyncio
import contextlib
import json
import secrets
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from relay import hello
from relay.errors import ProtocolError, TooMuch
from tests.support.apps import app
from tests.support.counting import APP, Counter
from tests.support.relay_client import load_page, open_socket
from tests.support.stack import StackProcess

pytestmark = pytest.mark.stack

MB = 1 << 20
HEADROOM = 24 * MB
"""What the agent may grow by under a flood of 100 MB: what one session may hold, and the
allocator's slack. Seen: 4 MB.
"""


def agent_pid(stack: StackProcess, location: str) -> int:
    """The process of the newest instance of an app."""
    instance = stack.instance_of(location)
    assert instance
    marker = f"SHEEN_INSTANCE={instance['version_id']}/{instance['slot']}/{instance['instance_id']}".encode()  # noqa: E501
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if words[1:3] == [b"-m", b"agent"] and marker in (entry / "environ").read_bytes():
                return int(entry.name)
    raise AssertionError(f"no agent of {location} is running")


def memory(pid: int) -> int:
    """The resident memory of a process, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has ended")


class Watch:
    """Looks at an agent's memory ten times a second."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.before = self.most = memory(pid)

    @property
    def growth(self) -> int:
        return self.most - self.before

    async def run(self) -> None:
        while True:
            self.most = max(self.most, memory(self._pid))
            await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
def crowd(stack: StackProcess, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, int]:
    """The URL of a counting app that is awake, and its agent."""
    folder = app(tmp_path_factory.mktemp("crowd") / "count", APP)
    stack.publish(folder, "/crowded", reconnect_grace=60, app_idle_timeout=0)
    stack.wake("/crowded/")
    return f"{stack.url}/crowded/", agent_pid(stack, "/crowded")


@asynccontextmanager
async def bystander(url: str) -> AsyncIterator[list[float]]:
    """Another visitor, who says something again and again meanwhile; gives how long each answer
    took.
    """
    took: list[float] = []
    counter = Counter(url, Random(1))

    async def chat() -> None:
        while True:
            began = time.monotonic()
            counter.say("hi")
            await counter.until_echoes(len(counter.said))
            assert counter.client.closed is None and counter.wrong is None, (
                counter.client.closed,
                counter.wrong,
            )
            took.append(time.monotonic() - began)
            await asyncio.sleep(0.05)

    async with aiohttp.ClientSession() as http:
        await counter.begin(http)
        chatting = asyncio.create_task(chat())
        try:
            while len(took) < 3:
                await asyncio.sleep(0.05)
                assert not chatting.done() or chatting.result() is None
            took.clear()
            yield took
            said = len(took)
            async with asyncio.timeout(20):
                while len(took) < said + 3:  # it still goes on
                    await asyncio.sleep(0.05)
                    assert not chatting.done() or chatting.result() is None
        finally:
            chatting.cancel()
            await asyncio.gather(chatting, return_exceptions=True)
            await counter.client.stop()


@asynccontextmanager
async def watching(pid: int) -> AsyncIterator[Watch]:
    watch = Watch(pid)
    task = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        task.cancel()


async def test_an_app_that_floods_a_browser_that_does_not_read(crowd: tuple[str, int]) -> None:
    url, pid = crowd
    count, size = 10_000, 10_000
    flooded = Counter(url, Random(2))
    async with aiohttp.ClientSession() as http, bystander(url) as took, watching(pid) as watch:
        await flooded.begin(http)
        flooded.say("ready")
        await flooded.until_echoes(1)
        flooded.client.pause()
        flooded.tell(flood={"count": count, "size": size})
        stalled = len(took)
        async with asyncio.timeout(
            60
        ):  # R itself takes seconds for that, and answers nobody meanwhile (FACTS R6)
            while len(took) < stalled + 2:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        unread, meanwhile = flooded.flooded, len(took)
        await asyncio.sleep(5)
        assert flooded.flooded == unread < 500
        assert len(took) > meanwhile + 10, "the other session has stopped"
        longest = max(took[meanwhile:])
        assert watch.growth < HEADROOM, (
            f"the agent grew by {watch.growth / MB:.0f} MB while nobody read"
        )
        flooded.client.read_on()
        began = time.monotonic()
        async with asyncio.timeout(90):
            while (  # noqa: ASYNC110
                flooded.flooded < count and flooded.wrong is None and flooded.client.closed is None
            ):
                await asyncio.sleep(0.1)
        sys.stderr.write(
            f"\nflood: {flooded.flooded} messages in {time.monotonic() - began:.1f} s after not reading, agent "  # noqa: E501
            f"+{watch.growth / MB:.1f} MB to {watch.before / MB:.0f} MB, {len(took)} round trips of another session meanwhile, "  # noqa: E501
            f"the longest {longest:.2f} s\n"
        )
        assert flooded.wrong is None and flooded.client.closed is None, (
            flooded.wrong,
            flooded.client.closed,
        )
        assert watch.growth < HEADROOM, f"the agent grew by {watch.growth / MB:.0f} MB"
        await flooded.client.stop()


async def greeted(url: str) -> ClientConnection:
    """The connection of a page that has opened its channel to R."""
    async with aiohttp.ClientSession() as http:
        socket = await open_socket(url, await load_page(http, url))
    await socket.send(hello.hello(hello.Opening(secrets.token_hex(9), sheen=True, attempt=1)))
    assert await socket.recv() == "o"
    await socket.send('["0#0|o|"]')
    return socket


async def closing(socket: ClientConnection) -> tuple[int, str]:
    """How a connection ends: by the relay's ``c`` frame, or by the gateway's close code."""
    try:
        async with asyncio.timeout(30):
            while True:
                frame = await socket.recv(decode=True)
                if frame.startswith("c"):
                    code, reason = json.loads(frame[1:])
                    return code, reason
    except ConnectionClosed:
        return socket.close_code or 0, socket.close_reason or ""


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("garbage", ProtocolError.code),
        ('["FFFF#0|m|far ahead"]', ProtocolError.code),
        ('["ACK FFFFF"]', ProtocolError.code),
        ('["1#0|m|' + "x" * 33_000 + '"]', 1009),
    ],
    ids=["no frame", "a number far ahead", "an ACK of what was never sent", "too large"],
)
async def test_a_client_that_sends_garbage_is_told_and_ends_alone(
    crowd: tuple[str, int], frame: str, code: int
) -> None:
    url, _ = crowd
    async with bystander(url):
        socket = await greeted(url)
        await socket.send(frame)
        got, reason = await closing(socket)
        assert got == code
        assert reason if code > 4000 else True
        await socket.close()


async def test_a_client_that_sends_without_waiting_is_told_and_ends_alone(
    crowd: tuple[str, int],
) -> None:
    url, pid = crowd
    async with bystander(url), watching(pid) as watch:
        socket = await greeted(url)
        # Parts of one message that never ends, and no look at what comes back.
        sent = 0

        async def pour() -> None:
            nonlocal sent
            with contextlib.suppress(ConnectionClosed):
                while True:
                    sent += 1
                    await socket.send(f'["{sent:X}#0|p|' + "x" * 31_000 + '"]')

        pouring = asyncio.create_task(pour())
        got, reason = await closing(socket)
        pouring.cancel()
        sys.stderr.write(
            f"\npour: {sent} frames, {got} {reason!r}, agent +{watch.growth / MB:.1f} MB\n"
        )
        assert got in (TooMuch.code, 4711), (got, reason)
        assert reason
        assert watch.growth < HEADROOM
        await socket.close()
