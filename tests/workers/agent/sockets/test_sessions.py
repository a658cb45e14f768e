from __future__ import annotations

import asyncio
import json
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import pytest
from botocore.credentials import Credentials
from websockets.asyncio.server import ServerConnection

from agent.sockets.carried import Ways
from agent.sockets.gateway import Gateway
from agent.sockets.sessions import Sessions
from relay.errors import AppExited, SessionClosed, ShuttingDown
from relay.hello import Opening, hello
from relay.settings import RelaySettings
from tests.support.waiting import eventually, settled
from tests.workers.agent.fakes import FakeConnections, FakeR


@dataclass
class Stand:
    r: FakeR
    browser: FakeConnections
    gateway: Gateway
    sessions: Sessions
    ended: list[str] = field(default_factory=list)

    def frames(self, connection: str = "c=1") -> list[str]:
        return self.browser.frames.get(connection, [])

    def messages(self, connection: str = "c=1") -> list[str]:
        return [
            text.split("#", 1)[1]
            for frame in self.frames(connection)
            if frame.startswith("a")
            for text in json.loads(frame[1:])
            if "#" in text
        ]

    async def open(self, connection: str = "c=1", session: str = "s1") -> None:
        self.sessions.reserve(session)
        assert await self.sessions.message(connection, session, greet())
        assert await self.sessions.message(connection, session, '["0#0|o|"]')


def greet(attempt: int = 1, *, following: int = 0) -> str:
    return hello(Opening("A", attempt > 1, True, attempt, following))


Make = Callable[[RelaySettings], Awaitable[Stand]]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    stands: list[Stand] = []
    async with aiohttp.ClientSession() as http:

        async def build(settings: RelaySettings) -> Stand:
            r, browser = FakeR(tmp_path / "r.sock"), FakeConnections()
            await r.start()
            await browser.start()
            gateway = Gateway(
                browser.url, "us-east-1", Credentials("AKID", "secret", "token"), http
            )
            ended: list[str] = []

            async def on_end(session_id: str) -> None:
                ended.append(session_id)

            ways = Ways(gateway, r.connect, lambda s: "ticket-" + s, time.monotonic, on_end)
            sessions = Sessions(ways, settings)
            stands.append(Stand(r, browser, gateway, sessions, ended))
            return stands[-1]

        yield build
        for stand in stands:
            stand.browser.paused.set()
            await stand.sessions.close()
            await stand.gateway.close()
            await stand.r.stop()
            await stand.browser.stop()


@pytest.fixture
async def stand(make: Make) -> Stand:
    return await make(RelaySettings())


async def test_a_message_goes_to_r_and_its_answer_to_the_browser(stand: Stand) -> None:
    await stand.open()
    assert stand.sessions.active() == 1 and stand.sessions.reserved() == 0
    await stand.sessions.message("c=1", "s1", '["1#0|m|hi"]')
    await eventually(stand.messages)
    assert stand.frames()[0] == "o"
    assert stand.messages() == ["0|m|echo hi"]
    assert stand.sessions.ids() == ["s1"]


async def test_frames_in_any_order_and_doubled_reach_r_once_in_order(stand: Stand) -> None:
    stand.sessions.reserve("s1")
    frames = ['["0#0|o|"]', *(f'["{number:X}#0|m|{number}"]' for number in range(1, 40)), greet()]
    for frame in reversed(frames + frames):
        assert await stand.sessions.message("c=1", "s1", frame)
    await eventually(lambda: len(stand.r.received) == 39)
    assert stand.r.received == [str(number) for number in range(1, 40)]


async def test_an_unknown_session_is_refused_and_the_browser_told(stand: Stand) -> None:
    assert not await stand.sessions.message("c=9", "nobody", greet())
    await eventually(lambda: stand.frames("c=9"))
    assert stand.frames("c=9")[0].startswith("c[4705,")
    await eventually(lambda: stand.browser.deleted == ["c=9"])


async def test_one_post_in_flight_and_five_milliseconds_apart(stand: Stand) -> None:
    async def chatter(connection: ServerConnection) -> None:
        for number in range(200):
            await connection.send(str(number))
            await asyncio.sleep(0.0005)
        await connection.wait_closed()

    stand.r.handler = chatter
    stand.browser.delay = 0.002
    await stand.open()
    await eventually(lambda: len(stand.messages()) == 200)
    assert stand.messages() == [f"0|m|{number}" for number in range(200)]
    assert stand.browser.most_in_flight == 1
    gaps = [
        later - earlier
        for earlier, later in zip(stand.browser.times, stand.browser.times[1:], strict=False)
    ]
    assert sum(gaps) / len(gaps) >= 0.0045
    assert len(stand.frames()) < 150


async def test_throttled_posts_are_repeated_and_nothing_is_lost(stand: Stand) -> None:
    stand.browser.answers = [429, 500, 200, 429, 429]
    await stand.open()
    for number in range(1, 4):
        await stand.sessions.message("c=1", "s1", f'["{number:X}#0|m|{number}"]')
    await eventually(lambda: len(stand.messages()) == 3)
    assert stand.messages() == ["0|m|echo 1", "0|m|echo 2", "0|m|echo 3"]


async def test_a_connection_that_is_gone_is_resumed_by_the_next(stand: Stand) -> None:
    await stand.open()
    await eventually(stand.frames)
    stand.browser.answers = [410]
    await stand.sessions.message("c=1", "s1", '["1#0|m|hi"]')
    await eventually(lambda: not stand.browser.answers)
    await stand.sessions.message("c=2", "s1", greet(2))
    await eventually(lambda: stand.messages("c=2"))
    assert stand.frames("c=2")[0] == "o"
    first = json.loads(stand.frames("c=2")[1][1:])
    assert first[0] == "CONTINUE 2"
    assert 'SHEEN {"ticket":"ticket-s1"}' in [
        text for frame in stand.frames("c=2")[1:] for text in json.loads(frame[1:])
    ]
    assert stand.messages("c=2") == ["0|m|echo hi"]
    await stand.sessions.disconnect("c=1")
    assert stand.sessions.active() == 1


async def test_a_browser_that_never_comes_back_gives_its_seat_back_once(make: Make) -> None:
    stand = await make(replace(RelaySettings(), grace=0.2))
    await stand.open()
    await eventually(lambda: stand.r.connections)
    await stand.sessions.disconnect("c=1")
    await stand.sessions.disconnect("c=1")
    await eventually(lambda: stand.ended)
    await eventually(lambda: stand.r.connections[0].close_code is not None)
    assert stand.ended == ["s1"] and stand.sessions.active() == 0 and stand.sessions.ids() == []


async def test_a_page_that_never_connects_gives_its_seat_back(make: Make) -> None:
    stand = await make(replace(RelaySettings(), reservation=0.2))
    stand.sessions.reserve("s1")
    assert stand.sessions.reserved() == 1
    await eventually(lambda: stand.ended == ["s1"])
    assert stand.sessions.reserved() == 0


async def test_r_closing_the_session_is_told_to_the_browser(stand: Stand) -> None:
    async def goodbye(connection: ServerConnection) -> None:
        await connection.send("last words")
        await connection.close()

    stand.r.handler = goodbye
    await stand.open()
    await eventually(lambda: stand.frames() and stand.frames()[-1].startswith("c"))
    assert stand.messages()[0] == "0|m|last words"
    assert stand.frames()[-1] == f'c[4508,"{SessionClosed.sentence}"]'
    await eventually(lambda: stand.ended == ["s1"])


async def test_r_dying_is_told_to_the_browser(stand: Stand) -> None:
    async def die(connection: ServerConnection) -> None:
        await connection.recv()
        connection.transport.abort()

    stand.r.handler = die
    await stand.open()
    await stand.sessions.message("c=1", "s1", '["1#0|m|hi"]')
    await eventually(lambda: stand.frames() and stand.frames()[-1].startswith("c"))
    assert stand.frames()[-1] == f'c[4503,"{AppExited.sentence}"]'


async def test_r_not_answering_its_socket_is_told_to_the_browser(stand: Stand) -> None:
    await stand.r.stop()
    await stand.open()
    await eventually(lambda: stand.frames() and stand.frames()[-1].startswith("c[4503"))
    await eventually(lambda: stand.ended == ["s1"])


async def test_shutting_down_tells_every_browser_and_gives_back_every_seat(stand: Stand) -> None:
    for number in range(3):
        await stand.open(f"c{number}", f"s{number}")
    stand.sessions.reserve("s3")
    await stand.sessions.end_all(*ShuttingDown().ending)
    for number in range(3):
        assert stand.frames(f"c{number}")[-1].startswith("c[4702,")
    await eventually(lambda: sorted(stand.ended) == ["s0", "s1", "s2", "s3"])


async def test_memory_stays_bounded_while_the_browser_does_not_read(stand: Stand) -> None:
    sent = 0

    async def flood(connection: ServerConnection) -> None:
        nonlocal sent
        for _ in range(2000):
            await connection.send("x" * 50_000)
            sent += 1

    stand.r.handler = flood
    stand.browser.paused.clear()
    await stand.open()
    tracemalloc.start()
    await eventually(lambda: sent)
    await settled(lambda: sent)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sent < 100
    assert peak < 20_000_000
    stand.browser.paused.set()
    # The client acknowledges now and then, and everything comes.
    end = time.monotonic() + 20
    while (
        arrived := sum(frame.count("#0|m|x") for frame in stand.frames())
    ) < 150 and time.monotonic() < end:
        await stand.sessions.message("c=1", "s1", f'["ACK {arrived:X}"]')
        await asyncio.sleep(0.03)
    assert arrived >= 150


async def test_a_client_that_ignores_acknowledgements_is_stopped_when_r_does_not_read(
    make: Make,
) -> None:
    stand = await make(replace(RelaySettings(), max_message=100_000, high_water=100_000))

    enough = asyncio.Event()

    async def deaf(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        await enough.wait()
        connection.transport.abort()

    stand.r.handler = deaf
    await stand.open()
    number = 0
    while not stand.ended and number < 2000:
        number += 1
        await stand.sessions.message("c=1", "s1", f'["{number:X}#0|m|' + "x" * 20_000 + '"]')
        await asyncio.sleep(0)
    await eventually(lambda: stand.frames() and stand.frames()[-1].startswith("c[4512"))
    enough.set()
    assert stand.ended == ["s1"]


async def test_a_message_larger_than_any_frame_arrives_whole(stand: Stand) -> None:
    await stand.open()
    text = '"é' * 300_000
    pieces = [text[start : start + 8000] for start in range(0, len(text), 8000)]
    for number, piece in enumerate(pieces, 1):
        kind = "m" if number == len(pieces) else "p"
        frame = json.dumps([f"{number:X}#0|{kind}|{piece}"], ensure_ascii=False)
        assert len(frame.encode()) < 32_768
        await stand.sessions.message("c=1", "s1", frame)
    await eventually(lambda: stand.messages() and stand.messages()[-1].startswith("0|m|"))
    assert stand.r.received == [text]
    assert "".join(message[4:] for message in stand.messages()) == "echo " + text


async def test_all_sessions_together_are_bounded_and_the_one_that_holds_most_ends(
    make: Make,
) -> None:
    stand = await make(replace(RelaySettings(), instance_bytes=300_000))
    for number in range(3):
        await stand.open(f"c{number}", f"s{number}")
    # Parts of messages that never become whole.
    for count in range(1, 20):
        await stand.sessions.message("c0", "s0", f'["{count:X}#0|p|' + "x" * 20_000 + '"]')
        if count < 5:
            await stand.sessions.message("c1", "s1", f'["{count:X}#0|p|' + "x" * 20_000 + '"]')
    await eventually(lambda: stand.ended == ["s0"])
    await eventually(lambda: stand.frames("c0")[-1].startswith("c[4512,"))
    assert stand.sessions.ids() == ["s1", "s2"]


async def test_connections_whose_end_is_never_told_do_not_pile_up(stand: Stand) -> None:
    await stand.open("c1")
    for attempt in range(2, 100):
        await stand.sessions.message(f"c{attempt}", "s1", greet(attempt))
    await eventually(lambda: stand.frames("c99"))
    assert len(stand.sessions._sessions["s1"].connections) <= 16
    assert len(stand.gateway._pumps) <= 16
    await stand.sessions.message("c99", "s1", '["1#0|m|hi"]')
    await eventually(lambda: "0|m|echo hi" in stand.messages("c99"))


async def test_an_app_without_websockets_takes_none(stand: Stand) -> None:
    stand.sessions._settings = replace(stand.sessions._settings, disabled=("websocket",))
    stand.sessions.reserve("s1")
    assert not await stand.sessions.message("c=1", "s1", greet())
    await eventually(stand.frames)
    [frame] = stand.frames()
    assert frame.startswith("c[4509,")
    assert stand.sessions.reserved() == 1
