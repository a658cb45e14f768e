from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import CloseCode
from websockets.typing import Subprotocol

from infra.emulator.gateway import AWS, Invocation, Throttled, TimedOut, TokenBucket
from tests.infra.emulator.gateway.stand import (
    FakeInvoker,
    Gateway,
    World,
    close_of,
    frame,
    gateway,
    raw_client,
    upgrade,
)


@pytest.fixture
async def api() -> AsyncIterator[Gateway]:
    async with gateway() as running:
        yield running


def connection_of(api: Gateway) -> str:
    found: str = api.invoker.of("connect")[-1]["requestContext"]["connectionId"]
    return found


async def closed_with(api: Gateway) -> tuple[int, str]:
    context = (await api.invoker.seen("disconnect"))[0]["requestContext"]
    return context["disconnectStatusCode"], context["disconnectReason"]


# Opening.


async def test_connect_message_and_disconnect_are_invoked_for_one_connection(api: Gateway) -> None:
    async with connect(f"{api.socket_url}?n=abc", user_agent_header="Browser/1") as client:
        await client.send("hello é")
        await api.invoker.seen("message")
        await client.close(4000, "enough")
    await api.invoker.seen("disconnect")
    (opened,), (message,), (ended,) = (
        api.invoker.of(name) for name in ("connect", "message", "disconnect")
    )
    assert opened["queryStringParameters"] == {"n": "abc"}
    assert opened["requestContext"]["identity"] == {
        "userAgent": "Browser/1",
        "sourceIp": "127.0.0.1",
    }
    assert message["body"] == "hello é"
    ids = {event["requestContext"]["connectionId"] for event in (opened, message, ended)}
    assert len(ids) == 1
    assert await closed_with(api) == (4000, "enough")
    assert api.sockets.open_connections == 0


@pytest.mark.parametrize("path", ["/", "/socket/", "/socket/more", "/other", "/socket%2F"])
async def test_any_path_but_the_stage_is_403(api: Gateway, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://127.0.0.1:{api.port}{path}")
    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body or b"") == {"message": "Forbidden"}
    assert not api.invoker.events


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"statusCode": 403}, 403),
        ({"statusCode": 401}, 401),
        ({"statusCode": 500}, 500),
        ({}, 502),
        (Invocation(b"{}", "Unhandled"), 502),
        (Throttled("connect"), 500),
        (TimedOut("connect"), 504),
        (RuntimeError("broken"), 500),
    ],
)
async def test_a_connect_that_does_not_agree_refuses_the_handshake(
    api: Gateway, answer: Any, status: int
) -> None:
    def refuse(event: dict[str, Any]) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    api.invoker.functions["connect"] = refuse
    with pytest.raises(InvalidStatus) as refused:
        await connect(api.socket_url)
    assert refused.value.response.status_code == status
    assert api.sockets.open_connections == 0
    assert not api.invoker.of("disconnect")


async def test_a_slow_connect_is_504() -> None:
    async with gateway(limits=replace(AWS, integration_timeout=0.05)) as api:
        api.invoker.functions["connect"] = lambda event: asyncio.sleep(60)
        with pytest.raises(InvalidStatus) as refused:
            await connect(api.socket_url)
        assert refused.value.response.status_code == 504


async def test_the_subprotocol_is_the_one_that_connect_chose(api: Gateway) -> None:
    api.invoker.functions["connect"] = lambda event: {
        "statusCode": 200,
        "headers": {
            "Sec-WebSocket-Protocol": event["headers"]["Sec-WebSocket-Protocol"].split(",")[0]
        },
    }
    wanted = [Subprotocol("sheen"), Subprotocol("ticket.abc")]
    async with connect(api.socket_url, subprotocols=wanted) as client:
        assert client.subprotocol == "sheen"
    assert api.invoker.of("connect")[0]["headers"]["Sec-WebSocket-Protocol"] == "sheen, ticket.abc"


async def test_without_a_subprotocol_from_connect_the_handshake_names_none(api: Gateway) -> None:
    async with raw_client(api.port) as client:
        client.writer.write(
            upgrade(Sec_WebSocket_Protocol="sheen", Sec_WebSocket_Extensions="permessage-deflate")
        )
        head = await client.read_head()
    assert head.startswith("HTTP/1.1 101 ")
    assert "sec-websocket-protocol" not in head.lower()
    assert "sec-websocket-extensions" not in head.lower()


@pytest.mark.parametrize("header", ["Sec_WebSocket_Key", "Sec_WebSocket_Version", "Connection"])
async def test_a_broken_offer_is_400_and_no_function_is_asked(api: Gateway, header: str) -> None:
    async with raw_client(api.port) as client:
        client.writer.write(upgrade(**{header: "nonsense"}))
        assert (await client.read_head()).startswith("HTTP/1.1 400 ")
    assert not api.invoker.events


async def test_the_upgrade_waits_for_connect(api: Gateway) -> None:
    asked, release = asyncio.Event(), asyncio.Event()

    async def hesitate(event: dict[str, Any]) -> dict[str, Any]:
        asked.set()
        await release.wait()
        return {"statusCode": 200}

    api.invoker.functions["connect"] = hesitate
    async with raw_client(api.port) as client:
        client.writer.write(upgrade())
        async with asyncio.timeout(5):
            await asked.wait()
        answering = asyncio.create_task(client.read_head())
        await asyncio.sleep(0.05)
        assert not answering.done(), "answered before $connect had"
        release.set()
        assert (await answering).startswith("HTTP/1.1 101 ")


async def test_frames_that_come_together_with_the_handshake_are_not_lost(api: Gateway) -> None:
    async with raw_client(api.port) as client:
        client.writer.write(upgrade() + frame(1, b"first") + frame(1, b"second")[:3])
        await client.read_head()
        assert [event["body"] for event in await api.invoker.seen("message")] == ["first"]


async def test_more_than_a_read_buffer_sent_before_connect_answers_arrives_whole(
    api: Gateway,
) -> None:
    release = asyncio.Event()

    async def hesitate(event: dict[str, Any]) -> dict[str, Any]:
        await release.wait()
        return {"statusCode": 200}

    api.invoker.functions["connect"] = hesitate
    async with raw_client(api.port) as client:
        client.writer.write(upgrade())
        for number in range(40):
            client.writer.write(frame(1, b"%05d" % number + b"x" * 20_000))
        await api.invoker.seen("connect")
        release.set()
        await client.read_head()
        bodies = [event["body"][:5] for event in await api.invoker.seen("message", 40)]
    assert bodies == [f"{number:05d}" for number in range(40)]


async def test_a_client_that_leaves_while_connect_runs_is_disconnected_for_the_functions_too(
    api: Gateway,
) -> None:
    release = asyncio.Event()

    async def hesitate(event: dict[str, Any]) -> dict[str, Any]:
        await release.wait()
        return {"statusCode": 200}

    api.invoker.functions["connect"] = hesitate
    async with raw_client(api.port) as client:
        client.writer.write(upgrade())
        await api.invoker.seen("connect")
    await asyncio.sleep(0.05)  # for the reset to be seen; what follows holds either way
    release.set()
    assert (await closed_with(api))[0] == 1006
    assert api.sockets.open_connections == 0


async def test_past_five_hundred_new_connections_a_second_the_handshake_is_429() -> None:
    async with gateway(limits=replace(AWS, new_connections=2)) as api:
        async with connect(api.socket_url), connect(api.socket_url):
            with pytest.raises(InvalidStatus) as refused:
                await connect(api.socket_url)
        assert refused.value.response.status_code == 429


# Messages.


async def test_messages_of_one_connection_run_at_once_and_may_finish_in_any_order(
    api: Gateway,
) -> None:
    second_done = asyncio.Event()
    finished: list[str] = []

    async def handle(event: dict[str, Any]) -> dict[str, Any]:
        if event["body"] == "first":
            await second_done.wait()
        finished.append(event["body"])
        second_done.set()
        return {"statusCode": 200}

    api.invoker.functions["message"] = handle
    async with connect(api.socket_url) as client:
        await client.send("first")
        await client.send("second")
        async with asyncio.timeout(5):
            await second_done.wait()
    assert finished[0] == "second"


async def test_a_frame_may_be_32_kb_and_no_more(api: Gateway) -> None:
    async with connect(api.socket_url) as client:
        await client.send("x" * 32_768)
        assert len((await api.invoker.seen("message"))[0]["body"]) == 32_768
        await client.send("x" * 32_769)
        closed = await close_of(client)
    assert closed is not None
    assert closed.code == CloseCode.MESSAGE_TOO_BIG
    assert (await closed_with(api))[0] == 1009
    assert len(api.invoker.of("message")) == 1


async def test_a_message_may_be_128_kb_in_frames_and_no_more(api: Gateway) -> None:
    async with connect(api.socket_url) as client:
        await client.send(["x" * 32_768] * 4)
        assert len((await api.invoker.seen("message"))[0]["body"]) == 131_072
        await client.send([*["x" * 32_768] * 4, "x"])
        closed = await close_of(client)
    assert closed is not None
    assert closed.code == CloseCode.MESSAGE_TOO_BIG
    assert len(api.invoker.of("message")) == 1


async def test_a_client_that_goes_on_sending_too_much_still_gets_its_1009(api: Gateway) -> None:
    async with raw_client(api.port) as client:
        client.writer.write(upgrade())
        await client.read_head()
        client.writer.write(frame(1, b"x" * 200_000) + frame(1, b"after") * 1000)
        assert await client.read_close() == 1009
    await api.invoker.seen("disconnect")
    assert not api.invoker.of("message")


async def test_a_binary_message_closes_with_1003(api: Gateway) -> None:
    async with connect(api.socket_url) as client:
        await client.send(b"binary")
        closed = await close_of(client)
    assert closed is not None
    assert closed.code == CloseCode.UNSUPPORTED_DATA
    assert not api.invoker.of("message")
    assert (await closed_with(api))[0] == 1003


async def test_a_message_that_is_no_utf8_closes_with_1007_also_when_split_in_a_character(
    api: Gateway,
) -> None:
    async with raw_client(api.port) as client:
        client.writer.write(upgrade())
        await client.read_head()
        split = "é".encode()
        client.writer.write(frame(1, split[:1], fin=False) + frame(0, split[1:]))
        assert (await api.invoker.seen("message"))[0]["body"] == "é"
        client.writer.write(frame(1, b"\xff"))
        assert await client.read_close() == 1007


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00" * 50,
        b"\xff" * 50,
        frame(0, b"continues nothing"),
        b"\x81\x05hello",
    ],
    ids=["http", "zeros", "ones", "continuation", "unmasked"],
)
async def test_garbage_closes_with_1002_and_others_are_unharmed(
    api: Gateway, garbage: bytes
) -> None:
    async with connect(api.socket_url) as other, raw_client(api.port) as client:
        client.writer.write(upgrade())
        await client.read_head()
        client.writer.write(garbage)
        assert await client.read_close() == 1002
        await other.send("still here")
        assert (await api.invoker.seen("message"))[0]["body"] == "still here"


async def test_ping_is_answered_by_pong(api: Gateway) -> None:
    async with connect(api.socket_url) as client, asyncio.timeout(5):
        await (await client.ping())


async def test_pings_between_the_frames_of_a_message_do_no_harm(api: Gateway) -> None:
    async with raw_client(api.port) as client:
        client.writer.write(upgrade())
        await client.read_head()
        client.writer.write(frame(1, b"a", fin=False) + frame(9, b"p") + frame(0, b"b"))
        assert (await client.read_frame()).opcode == 10
        assert (await api.invoker.seen("message"))[0]["body"] == "ab"


async def test_a_client_that_pings_and_never_reads_is_cut_before_memory_is_gone() -> None:
    async with (
        gateway(limits=replace(AWS, client_buffer=100_000, socket_buffer=4096)) as api,
        raw_client(api.port) as client,
    ):
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        client.writer.write(upgrade())
        await api.invoker.seen("connect")
        flood = frame(9, b"x" * 125) * 1000
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(10):
                while True:
                    client.writer.write(flood)
                    await client.writer.drain()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Invocation(b'{"errorMessage": "boom"}', "Unhandled"), "Internal server error"),
        (Invocation(b"null"), "Internal server error"),
        (Throttled("message"), "Internal server error"),
        (RuntimeError("broken"), "Internal server error"),
        (TimedOut("message"), "Endpoint request timed out"),
    ],
)
async def test_the_client_is_told_when_its_message_was_not_handled(
    api: Gateway, answer: Any, said: str
) -> None:
    def fail(event: dict[str, Any]) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    api.invoker.functions["message"] = fail
    async with connect(api.socket_url) as client:
        await client.send("x")
        async with asyncio.timeout(5):
            told = json.loads(await client.recv())
    request_id = api.invoker.of("message")[0]["requestContext"]["requestId"]
    assert told == {"message": said, "connectionId": connection_of(api), "requestId": request_id}


async def test_the_status_of_a_message_functions_answer_does_not_matter(api: Gateway) -> None:
    api.invoker.functions["message"] = lambda event: {"statusCode": 500}
    async with connect(api.socket_url) as client:
        await client.send("x")
        await api.invoker.seen("message")
        await (await client.ping())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.recv()


async def test_a_message_function_that_takes_too_long_is_told_once_and_goes_on() -> None:
    release, finished = asyncio.Event(), asyncio.Event()

    async def slow(event: dict[str, Any]) -> Invocation:
        await release.wait()
        finished.set()
        return Invocation(b"{}", "Unhandled")

    async with gateway(limits=replace(AWS, integration_timeout=0.05)) as api:
        api.invoker.functions["message"] = slow
        async with connect(api.socket_url) as client:
            await client.send("x")
            async with asyncio.timeout(5):
                assert json.loads(await client.recv())["message"] == "Endpoint request timed out"
                release.set()
                await finished.wait()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await client.recv()


async def test_past_the_accounts_rate_messages_are_refused_to_the_client() -> None:
    async with (
        gateway(limits=replace(AWS, requests=0, request_burst=3)) as api,
        connect(api.socket_url) as client,
    ):
        for number in range(3):
            await client.send(str(number))
        async with asyncio.timeout(5):
            assert json.loads(await client.recv())["message"] == "Too Many Requests"
        assert api.invoker.bodies() == ["0", "1"]


async def test_past_the_stages_own_rate_messages_are_refused_and_posts_to_the_client_are_not() -> (
    None
):
    async with gateway(stage=TokenBucket(0.001, 2)) as api, connect(api.socket_url) as client:
        await client.send("0")
        await client.send("1")
        async with asyncio.timeout(5):
            assert json.loads(await client.recv())["message"] == "Too Many Requests"
        assert api.invoker.bodies() == ["0"]
        async with (
            aiohttp.ClientSession() as http,
            http.post(api.connections_url(connection_of(api)), data=b"x") as posted,
        ):
            assert posted.status == 200


async def test_a_flood_is_handled_at_most_so_many_at_once_and_loses_nothing() -> None:
    gate = asyncio.Event()
    running = most = 0

    async def handle(event: dict[str, Any]) -> dict[str, Any]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1
        return {"statusCode": 200}

    async with gateway(limits=replace(AWS, in_flight=4)) as api:
        api.invoker.functions["message"] = handle
        async with raw_client(api.port) as client:
            client.writer.write(upgrade())
            await client.read_head()
            one = frame(1, b"x" * 30_000)
            sent = 0
            with pytest.raises(
                TimeoutError
            ):  # the socket fills up: the gateway has stopped reading
                while sent < 1500:
                    sent += 1
                    client.writer.write(one)
                    async with asyncio.timeout(1):
                        await client.writer.drain()
            assert len(api.invoker.of("message")) == 4
            gate.set()
            await client.writer.drain()
            assert len(await api.invoker.seen("message", sent)) == sent
            assert most <= 4


# Time.


async def test_an_idle_connection_is_cut_after_ten_minutes() -> None:
    world = World()
    async with gateway(source=world) as api:
        async with connect(api.socket_url, ping_interval=None) as client:
            world.passes(599, api.clock)
            await (await client.ping())
            world.passes(1, api.clock)
            closed = await close_of(client)
        assert closed is not None
        assert (closed.code, closed.reason) == (1001, "Going away")
        context = (await api.invoker.seen("disconnect"))[0]["requestContext"]
        assert (context["disconnectStatusCode"], context["disconnectReason"]) == (
            1001,
            "Going away",
        )
        assert context["requestTimeEpoch"] - context["connectedAt"] == 600_000


async def test_pings_do_not_count_as_activity(api: Gateway) -> None:
    async with connect(api.socket_url, ping_interval=None) as client:
        api.clock.set_speed(2000)
        with pytest.raises(ConnectionClosed):
            async with asyncio.timeout(5):
                while True:
                    await (await client.ping())
                    await asyncio.sleep(0.01)


async def test_messages_keep_a_connection_until_it_is_two_hours_old() -> None:
    world = World()
    async with (
        gateway(source=world) as api,
        connect(api.socket_url, ping_interval=None) as client,
    ):
        for number in range(1, 13):
            world.passes(599, api.clock)
            await client.send("alive")
            await api.invoker.seen("message", number)
        world.passes(7199 - world.now, api.clock)
        await (await client.ping())
        world.passes(1, api.clock)
        closed = await close_of(client)
        assert closed is not None and closed.code == 1001


async def test_at_the_worlds_pace_nothing_is_cut(api: Gateway) -> None:
    async with connect(api.socket_url) as client:
        await asyncio.sleep(0.2)
        await (await client.ping())


# Ending.


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"", (1005, "Client-side close frame status not set")),
        (b"\x03\xe8", (1000, "Connection Closed Normally")),
        (b"\x03\xe9", (1001, "Going away")),
        (b"\x0f\xa0because", (4000, "because")),
    ],
)
async def test_disconnect_says_how_the_client_closed(
    api: Gateway, sent: bytes, told: tuple[int, str]
) -> None:
    async with raw_client(api.port) as client:
        client.writer.write(upgrade())
        await client.read_head()
        client.writer.write(frame(8, sent))
        assert (await client.read_frame()).opcode == 8
        assert await client.reader.read() == b"", "the gateway closes after its answer"
    assert await closed_with(api) == told


async def test_a_connection_lost_without_a_word_is_1006(api: Gateway) -> None:
    async with raw_client(api.port) as client:
        client.writer.write(upgrade())
        await client.read_head()
        client.writer.write(frame(1, b"half")[:4])
    assert await closed_with(api) == (1006, "Connection closed abnormally")
    assert not api.invoker.of("message")


async def test_a_client_that_ignores_the_close_is_cut_after_a_while() -> None:
    async with (
        gateway(limits=replace(AWS, close_timeout=0.05)) as api,
        raw_client(api.port) as client,
    ):
        client.writer.write(upgrade())
        await client.read_head()
        client.writer.write(frame(2, b"binary"))
        assert await client.read_close() == 1003
        assert (await closed_with(api))[0] == 1003


async def test_a_failing_disconnect_function_harms_nobody(api: Gateway) -> None:
    def fail(event: dict[str, Any]) -> None:
        raise Throttled("disconnect")

    api.invoker.functions["disconnect"] = fail
    async with connect(api.socket_url):
        pass
    await api.invoker.seen("disconnect")
    async with connect(api.socket_url) as client:
        await (await client.ping())


async def test_closing_the_gateway_tells_clients_that_it_goes_away_and_leaves_no_task() -> None:
    invoker: FakeInvoker
    async with gateway() as api:
        invoker = api.invoker
        invoker.functions["message"] = lambda event: asyncio.sleep(60)
        client = await connect(api.socket_url)
        await client.send("x")
        await invoker.seen("message")
        async with asyncio.timeout(5):
            await api.sockets.close()
        closed = await close_of(client)
        assert closed is not None
        assert closed.code == 1001
        assert not api.sockets._tasks
        assert not invoker.of("disconnect")
    await client.close()
