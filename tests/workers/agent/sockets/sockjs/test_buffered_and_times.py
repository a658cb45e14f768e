"""Heartbeats, time outs, limits, and responses that a Lambda passes on whole (FACTS H2)."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from typing import Protocol

import pytest
from aiohttp import web
from websockets.asyncio.client import connect

from chalicelib.clock import Steady
from relay.transports.options import SockJsOptions
from tests.support.waiting import asked
from tests.workers.agent.fakes import StoppedClock
from tests.workers.agent.sockets.sockjs.server import OPTIONS, application
from tests.workers.agent.sockets.sockjs.wire import Server

PRELUDE = "h" * 2048 + "\n"
BY_LAMBDA = {"sheen-buffered": "1"}


class Start(Protocol):
    def __call__(
        self, options: SockJsOptions, clock: Steady | None = None
    ) -> Awaitable[Server]: ...


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts test servers with other options."""
    started: list[tuple[web.AppRunner, Server]] = []

    async def run(options: SockJsOptions, clock: Steady | None = None) -> Server:
        runner = web.AppRunner(application(options, clock), access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        started.append((runner, Server(runner)))
        return started[-1][1]

    yield run
    for runner, server in started:
        await server.close()
        await runner.cleanup()


async def poll(server: Server, url: str, headers: dict[str, str] | None = None) -> str:
    return (await server.post(url + "/xhr", b"", headers))[1]


async def send(server: Server, url: str, *messages: str) -> int:
    return (await server.post(url + "/xhr_send", json.dumps(messages)))[0].status


async def test_a_quiet_receiver_gets_heartbeats(start: Start) -> None:
    server = await start(replace(OPTIONS, heartbeat_delay=0.1))
    assert await poll(server, "/echo/0/a") == "o\n"
    assert await poll(server, "/echo/0/a") == "h\n"
    stream = await server.ask("POST", "/echo/0/b/xhr_streaming")
    assert [await stream.chunk() for _ in range(4)] == [PRELUDE, "o\n", "h\n", "h\n"]
    events = await server.ask("GET", "/echo/0/c/eventsource")
    assert [await events.chunk() for _ in range(3)] == [
        "\r\n",
        "data: o\r\n\r\n",
        "data: h\r\n\r\n",
    ]
    async with connect(f"ws://127.0.0.1:{server.port}/echo/0/0/websocket") as socket:
        assert [await socket.recv() for _ in range(3)] == ["o", "h", "h"]
    async with connect(f"ws://127.0.0.1:{server.port}/echo/websocket") as socket:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.3)


async def test_a_session_ends_when_nobody_has_polled_for_a_while(start: Start) -> None:
    server = await start(replace(OPTIONS, disconnect_delay=0.3))
    assert await poll(server, "/echo/0/a") == "o\n"
    await asked(lambda: send(server, "/echo/0/a", "x"), lambda status: status == 404)
    assert await poll(server, "/echo/0/a") == "o\n"


async def test_a_waiting_receiver_keeps_its_session(start: Start) -> None:
    server = await start(replace(OPTIONS, disconnect_delay=0.1))
    stream = await server.ask("POST", "/echo/0/a/xhr_streaming")
    assert [await stream.chunk() for _ in range(2)] == [PRELUDE, "o\n"]
    await asyncio.sleep(0.4)
    assert await send(server, "/echo/0/a", "x") == 204
    assert await stream.chunk() == 'a["x"]\n'


async def test_a_closed_session_is_forgotten_also_when_it_is_asked_again_and_again(
    start: Start,
) -> None:
    server = await start(replace(OPTIONS, disconnect_delay=0.3))
    assert await poll(server, "/close/0/a") == "o\n"
    async with asyncio.timeout(20):
        while (said := await poll(server, "/close/0/a")) != "o\n":
            assert said == 'c[3000,"Go away!"]\n'
            await asyncio.sleep(0.05)


async def test_as_many_clients_as_there_may_be(start: Start) -> None:
    clock = StoppedClock()
    server = await start(replace(OPTIONS, most_clients=2, disconnect_delay=0.3), clock)
    assert [await poll(server, f"/echo/0/{name}") for name in "ab"] == ["o\n", "o\n"]
    answer, _ = await server.post("/echo/0/c/xhr")
    assert answer.status == 503 and answer["Retry-After"]
    clock.now += 0.3
    await asked(lambda: server.post("/echo/0/c/xhr"), lambda got: got[0].status == 200)


async def test_through_a_lambda_a_poll_ends_with_a_heartbeat_before_the_gateway_does(
    start: Start,
) -> None:
    server = await start(replace(OPTIONS, buffered_wait=0.2))
    for name, method, wrap in (
        ("xhr", "POST", lambda frame: frame + "\n"),
        ("xhr_streaming", "POST", lambda frame: PRELUDE + frame + "\n"),
        ("eventsource", "GET", lambda frame: f"\r\ndata: {frame}\r\n\r\n"),
        ("jsonp?c=x", "GET", lambda frame: f'/**/x("{frame}");\r\n'),
    ):
        for frame in ("o", "h", "h"):
            answer = await server.ask(method, f"/echo/0/{name[:4]}/{name}", BY_LAMBDA)
            assert answer["Content-Length"]
            assert await answer.body() == wrap(frame)


async def test_through_a_lambda_a_stream_ends_after_what_it_has(start: Start) -> None:
    server = await start(OPTIONS)
    url = "/echo/0/a"
    _answer, body = await server.post(url + "/xhr_streaming", b"", BY_LAMBDA)
    assert body == PRELUDE + "o\n"
    connection = await server.waiting(url + "/xhr_streaming", BY_LAMBDA)
    await asyncio.gather(*(send(server, url, name) for name in "abc"))
    body = await (await connection.answer()).body()
    assert body.startswith(PRELUDE + "a[")
    said = [
        message
        for frame in body.removeprefix(PRELUDE).splitlines()
        for message in json.loads(frame[1:])
    ]
    if len(said) < 3:
        said += json.loads((await server.post(url + "/xhr", b"", BY_LAMBDA))[1][1:])
    assert sorted(said) == ["a", "b", "c"]
    _, body = await server.get("/close/0/b/htmlfile?c=x", BY_LAMBDA)
    assert body.index('p("o")') < body.index('p("c[3000')


async def test_a_client_that_reads_nothing_is_dropped_and_costs_little(start: Start) -> None:
    server = await start(replace(OPTIONS, write_timeout=0.5, response_limit=1 << 40))
    url = "/amplify/0/a"
    connection = await server.connect()
    stream = await connection.ask("POST", url + "/xhr_streaming", body=b"")
    assert [await stream.chunk() for _ in range(2)] == [PRELUDE, "o\n"]
    connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
    tracemalloc.start()
    for _ in range(60):
        assert await send(server, url, "18") == 204
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 << 20
    cut = 'c[1002,"Connection interrupted"]\n'
    await asked(lambda: poll(server, url), lambda said: said == cut)


async def test_a_server_that_stops_lets_its_receivers_go(start: Start) -> None:
    server = await start(OPTIONS)
    waiting = await server.ask("POST", "/echo/0/a/xhr_streaming")
    assert [await waiting.chunk() for _ in range(2)] == [PRELUDE, "o\n"]
    # The fixture stops the server; it may not hang.


async def test_what_disable_protocols_leaves_out_is_not_answered(start: Start) -> None:
    server = await start(
        replace(OPTIONS, disabled=("xhr-polling", "xdr-polling", "iframe-eventsource"))
    )
    assert await poll(server, "/echo/0/a") == "o\n"  # iframe-xhr-polling comes by the same URL
    answer = await server.ask("GET", "/echo/0/b/eventsource")
    assert answer.status == 404
    server = await start(
        replace(OPTIONS, disabled=("xhr-polling", "xdr-polling", "iframe-xhr-polling"))
    )
    assert (await server.post("/echo/0/a/xhr", b""))[0].status == 404
    assert (await server.post("/echo/0/a/xhr_streaming", b"", BY_LAMBDA))[0].status == 200


async def test_a_percent_sign_outlives_the_decoding_of_event_sources_in_sockjs_client(
    start: Start,
) -> None:
    server = await start(OPTIONS)
    assert await poll(server, "/echo/0/a") == "o\n"
    assert await send(server, "/echo/0/a", "100 % of %C3") == 204
    _, body = await server.get("/echo/0/a/eventsource", BY_LAMBDA)
    assert body == '\r\ndata: a["100 \\u0025 of \\u0025C3"]\r\n\r\n'
