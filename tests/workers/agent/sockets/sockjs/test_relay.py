"""Sessions of R, reached by SockJS as Shiny Server's clients reach them, and as Sheen's own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest
from aiohttp import web
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection

from agent.sockets.carried import Ways
from agent.sockets.carriers import Carriers
from agent.sockets.sessions import Sessions
from agent.sockets.sockjs import RelayApplication, SockJs
from relay.errors import ConnectionLost, SessionTaken, ShuttingDown, UnknownSession
from relay.settings import RelaySettings
from relay.sockjs import close, encode_client
from relay.transports.options import SockJsOptions
from tests.support.waiting import asked, eventually, settled
from tests.workers.agent.fakes import FakeR, StoppedClock
from tests.workers.agent.sockets.sockjs.wire import Server

ID = "abcdefghij01234567"
WORKER = "w=20261120T000000Z-ab12.0.1"
COOKIE = {"Cookie": "sheen-ticket=ticket-s1"}
BY_LAMBDA = {**COOKIE, "sheen-buffered": "1"}
GONE = close(*UnknownSession().ending) + "\n"
PREFIX = "/app/__sockjs__"
GRACE = 1.0
DISCONNECT_DELAY = 0.3
BUFFERED_WAIT = 0.3


class NoPosts:
    """No WebSocket connection is in these tests."""

    def open(self, connection_id: str, source: object, gone: object) -> NoReturn:
        raise AssertionError(connection_id)

    def drop(self, connection_id: str) -> None:
        pass

    def say(self, connection_id: str, frame: str, *, then_close: bool = False) -> None:
        raise AssertionError(connection_id)

    async def flush(self, timeout: float) -> None:  # noqa: ASYNC109
        pass


@dataclass
class Stand:
    r: FakeR
    sessions: Sessions
    server: Server
    clock: StoppedClock
    ended: list[str] = field(default_factory=list)

    async def poll(self, url: str, headers: dict[str, str] | None = None) -> str:
        answer, body = await self.server.post(
            f"{PREFIX}{url}/xhr", b"", COOKIE if headers is None else headers
        )
        assert answer.status == 200
        return body

    async def send(self, url: str, *messages: str, headers: dict[str, str] | None = None) -> int:
        sent = COOKIE if headers is None else headers
        return (await self.server.post(f"{PREFIX}{url}/xhr_send", encode_client(messages), sent))[
            0
        ].status

    async def messages(self, url: str, count: int) -> list[str]:
        """So many messages besides acknowledgements."""
        said: list[str] = []
        while len(said) < count:
            frame = await self.poll(url)
            assert frame[0] == "a", frame
            said += [text for text in json.loads(frame[1:]) if "#" in text]
        return said

    async def open(self, client: str = f"/n={ID}/{WORKER}/000/first") -> str:
        assert await self.poll(client) == "o\n"
        assert await self.send(client, "0#0|o|") == 204
        return client

    async def silence(self, client: str) -> None:
        """Let pass what a client may be silent, until the server has forgotten it."""
        self.clock.now += DISCONNECT_DELAY
        await asked(lambda: self.send(client), lambda status: status == 404)


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    r = FakeR(tmp_path / "r.sock")
    await r.start()
    ended: list[str] = []
    clock = StoppedClock()

    async def on_end(session_id: str) -> None:
        ended.append(session_id)

    settings = RelaySettings(grace=GRACE, ack_delay=30.0)
    carriers = Carriers(NoPosts())
    sessions = Sessions(
        Ways(carriers, r.connect, lambda session: "fresh-" + session, clock, on_end),
        settings,
    )
    relay = RelayApplication(
        sessions,
        carriers,
        lambda ticket: ticket.removeprefix("ticket-") if ticket.startswith("ticket-") else None,
    )
    sockjs = SockJs(
        relay, SockJsOptions(disconnect_delay=DISCONNECT_DELAY, buffered_wait=BUFFERED_WAIT), clock
    )
    app = web.Application()

    async def handle(request: web.Request) -> web.StreamResponse:
        return await sockjs.handle(request, request.rel_url.raw_path.removeprefix(PREFIX))

    app.router.add_route("*", PREFIX + "{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server = Server(runner)
    sessions.reserve("s1")
    yield Stand(r, sessions, server, clock, ended)
    await server.close()
    await sessions.close()
    sockjs.close()
    await runner.cleanup()
    await r.stop()


async def test_a_client_of_shiny_servers_polls(stand: Stand) -> None:
    url = await stand.open()
    assert await stand.send(url, "1#0|m|hi") == 204
    assert await stand.messages(url, 1) == ["0#0|m|echo hi"]
    assert stand.sessions.active() == 1 and stand.r.received == ["hi"]


async def test_a_client_of_shiny_servers_streams(stand: Stand) -> None:
    url = f"/n={ID}/000/first"
    stream = await stand.server.ask("POST", f"{PREFIX}{url}/xhr_streaming", COOKIE)
    assert await stream.chunk() and await stream.chunk() == "o\n"
    assert await stand.send(url, "0#0|o|", "1#0|m|hi") == 204
    assert json.loads((await stream.chunk())[1:])[0] == "0#0|m|echo hi"


async def test_through_a_lambda(stand: Stand) -> None:
    url = f"/n={ID}/000/first"
    assert await stand.poll(url, BY_LAMBDA) == "o\n"
    waiting = await stand.server.waiting(f"{PREFIX}{url}/xhr", BY_LAMBDA)
    stand.clock.now += BUFFERED_WAIT
    assert await (await waiting.answer()).body() == "h\n"
    assert await stand.send(url, "0#0|o|", "1#0|m|hi") == 204
    assert json.loads((await stand.poll(url, BY_LAMBDA))[1:])[0] == "0#0|m|echo hi"


async def test_a_lost_client_resumes_where_it_was(stand: Stand) -> None:
    url = await stand.open()
    assert await stand.send(url, "1#0|m|one") == 204
    assert await stand.messages(url, 1) == ["0#0|m|echo one"]
    assert await stand.send(url, "2#0|m|two") == 204
    await stand.silence(client=url)
    assert stand.sessions.active() == 1, "the connection has ended, the session waits"
    again = f"/o={ID}/000/second"
    assert await stand.poll(again) == "o\n"
    assert json.loads((await stand.poll(again))[1:]) == ["CONTINUE 3"]
    assert await stand.send(again, "CONTINUE 1", "3#0|m|three") == 204
    assert await stand.messages(again, 2) == ["1#0|m|echo two", "2#0|m|echo three"]
    assert stand.r.received == ["one", "two", "three"]


async def test_a_client_that_does_not_come_back_loses_its_session(stand: Stand) -> None:
    await stand.silence(client=await stand.open())
    stand.clock.now += GRACE
    await eventually(lambda: stand.ended == ["s1"])
    late = f"/o={ID}/000/late"
    assert [await stand.poll(late), await stand.poll(late)] == ["o\n", 'a["CONTINUE 1"]\n']
    assert await stand.poll(late) == close(*ConnectionLost().ending) + "\n"


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        (f"/n={ID}/000/x", {}),
        (f"/n={ID}/000/x", {"Cookie": "sheen-ticket=forged"}),
        (f"/n={ID}/000/x", {"Cookie": "sheen-ticket=ticket-s2"}),
        (f"/o={ID}/000/x", COOKIE),
        (f"/n={ID}/000/x", {**COOKIE, "Sec-Fetch-Site": "cross-site"}),
        (f"/n={ID}/000/x", {**COOKIE, "Origin": "https://evil.example"}),
    ],
)
async def test_a_client_without_a_right_to_a_session_is_told(
    stand: Stand, url: str, headers: dict[str, str]
) -> None:
    assert await stand.poll(url, headers) == "o\n"
    assert await stand.poll(url, headers) == GONE
    assert await stand.poll(url, headers) == GONE
    assert stand.sessions.reserved() == 1


ANOTHERS = [
    {},
    {"Cookie": "sheen-ticket=ticket-s2"},
    {"Cookie": f"sheen-visitor={'x' * 32}"},
    {"Cookie": "sheen-visitor="},
    {**COOKIE, "Sec-Fetch-Site": "cross-site"},
    {**COOKIE, "Origin": "https://evil.example"},
]


@pytest.mark.parametrize("kind", ["n", "o"])
@pytest.mark.parametrize("headers", ANOTHERS)
async def test_a_known_id_is_no_pass_to_the_session(
    stand: Stand, kind: str, headers: dict[str, str]
) -> None:
    url = await stand.open()
    thief = f"/{kind}={ID}/000/thief"
    assert await stand.poll(thief, headers) == "o\n"
    assert await stand.poll(thief, headers) == GONE
    # Nor is the whole URL of the client's own requests.
    for path in (f"{url}/xhr", f"{url}/xhr_send"):
        assert (await stand.server.post(PREFIX + path, encode_client(["1#0|m|stolen"]), headers))[
            0
        ].status == 404
    assert await stand.send(url, "1#0|m|mine") == 204
    assert await stand.messages(url, 1) == ["0#0|m|echo mine"]
    assert stand.r.received == ["mine"]


async def test_the_browser_of_the_page_resumes_also_when_its_ticket_has_expired(
    stand: Stand,
) -> None:
    visitor = "v" * 32
    stand.sessions.belongs("s1", visitor)
    await stand.open()
    mine = {
        "Cookie": f"sheen-ticket=expired; sheen-visitor={visitor}",
        "Sec-Fetch-Site": "same-origin",
    }
    again = f"/o={ID}/000/second"
    assert await stand.poll(again, mine) == "o\n"
    assert await stand.send(again, "CONTINUE 0", "1#0|m|hi", headers=mine) == 204
    assert json.loads((await stand.poll(again, mine))[1:])[0] == "CONTINUE 2"


async def test_nobody_takes_a_session_that_has_a_client(stand: Stand) -> None:
    await stand.open()
    thief = "/n=zzzzzzzzzz01234567/000/thief"
    assert await stand.poll(thief) == "o\n"
    assert await stand.poll(thief) == close(*SessionTaken().ending) + "\n"
    assert stand.sessions.active() == 1


async def test_a_client_that_falls_back_to_another_transport_starts_over(stand: Stand) -> None:
    slow = await stand.server.connect()
    stream = await slow.ask("POST", f"{PREFIX}/n={ID}/000/one/xhr_streaming", COOKIE, b"")
    assert await stream.chunk() and await stream.chunk() == "o\n"
    slow.abort()
    url = await stand.open(f"/n={ID}/000/two")
    assert await stand.send(url, "1#0|m|hi") == 204
    assert await stand.messages(url, 1) == ["0#0|m|echo hi"]


async def test_sheens_own_client_says_hello_in_the_url_and_gets_large_messages_in_parts(
    stand: Stand,
) -> None:
    async def large(connection: ServerConnection) -> None:
        async for _ in connection:
            await connection.send("x" * 300_000)

    stand.r.handler = large
    for session in ("one", "two"):  # SockJS's second transport makes the same attempt
        url = f"/n={ID}/h=1.0/{WORKER}/000/{session}"
        assert await stand.poll(url) == "o\n"
    assert await stand.send(url, "0#0|o|", "1#0|m|go") == 204
    said = await stand.messages(url, 3)
    assert [text.partition("#")[2][:4] for text in said] == ["0|p|", "0|p|", "0|m|"]
    assert "".join(text.split("|", 2)[2] for text in said) == "x" * 300_000
    again = f"/o={ID}/h=2.1/{WORKER}/000/three"
    assert await stand.poll(again) == "o\n"
    frame = json.loads((await stand.poll(again))[1:])
    assert frame[0] == "CONTINUE 2" and json.loads(frame[1].removeprefix("SHEEN ")) == {
        "ticket": "fresh-s1"
    }
    assert any(text.startswith("1#0|p|") for text in frame[2:] or await stand.messages(again, 1))


async def test_websockets_framed_and_raw(stand: Stand) -> None:
    base = f"ws://127.0.0.1:{stand.server.port}{PREFIX}"
    async with connect(f"{base}/n={ID}/000/x/websocket", additional_headers=COOKIE) as socket:
        assert await socket.recv() == "o"
        await socket.send(encode_client(["0#0|o|", "1#0|m|hi"]))
        assert json.loads(str(await socket.recv())[1:])[0] == "0#0|m|echo hi"
    async with connect(f"{base}/o={ID}/websocket", additional_headers=COOKIE) as socket:
        assert await socket.recv() == "CONTINUE 2"
        await socket.send("CONTINUE 0")
        await socket.send("2#0|m|raw")
        assert [await socket.recv(), await socket.recv()] == ["0#0|m|echo hi", "1#0|m|echo raw"]


async def test_garbage_ends_the_session_and_says_so(stand: Stand) -> None:
    url = await stand.open()
    assert await stand.send(url, "garbage") == 204
    assert (await stand.poll(url)).startswith("c[4704,")
    assert (await stand.poll(url)).startswith("c[4704,")
    assert stand.ended == ["s1"]


async def test_a_slow_client_slows_r(stand: Stand) -> None:
    sent = 0

    async def flood(connection: ServerConnection) -> None:
        nonlocal sent
        async for _ in connection:
            while True:
                await connection.send("y" * 100_000)
                sent += 1

    stand.r.handler = flood
    url = f"/n={ID}/000/first"
    stream = await stand.server.ask("POST", f"{PREFIX}{url}/xhr_streaming", COOKIE)
    assert await stream.chunk() and await stream.chunk() == "o\n"
    assert await stand.send(url, "0#0|o|", "1#0|m|go") == 204
    await eventually(lambda: sent)
    assert await settled(lambda: sent) < 200
    assert stand.sessions.active() == 1


async def test_the_end_of_the_instance_reaches_a_waiting_poll(stand: Stand) -> None:
    url = await stand.open()
    waiting = await stand.server.waiting(f"{PREFIX}{url}/xhr", COOKIE)
    await stand.sessions.end_all(*ShuttingDown().ending)
    assert await (await waiting.answer()).body() == close(*ShuttingDown().ending) + "\n"


async def test_paths_that_contradict_themselves_are_not_found(stand: Stand) -> None:
    for path in (f"/n={ID}/o={ID}/000/x/xhr", "/n=short/000/x/xhr", f"/h=1.0/n={ID[:5]}/000/x/xhr"):
        assert (await stand.server.post(PREFIX + path, b"", COOKIE))[0].status == 404
    assert (await stand.server.get(f"{PREFIX}/n={ID}/{WORKER}/t=/s=0"))[1] == "Welcome to SockJS!\n"
