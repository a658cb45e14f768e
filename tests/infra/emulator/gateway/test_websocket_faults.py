from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from infra.emulator.faults import FaultRates, Faults
from tests.infra.emulator.gateway.stand import Gateway, close_of, gateway, raw_client, upgrade


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def url_of(api: Gateway) -> str:
    return api.connections_url(api.invoker.of("connect")[-1]["requestContext"]["connectionId"])


async def test_messages_are_reordered_and_doubled_as_the_seed_says_and_none_is_lost() -> None:
    rates = FaultRates(seed=5, reorder=0.5, double=0.3, spread=0.02)
    expected = sum(len(Faults(rates).message(1, event).starts) for event in range(1, 51))
    async with gateway(faults=rates) as api, connect(api.socket_url) as client:
        for number in range(50):
            await client.send(str(number))
        await api.invoker.seen("message", expected)
        bodies = api.invoker.bodies()
        assert len(bodies) == expected > 50
        assert set(bodies) == {str(number) for number in range(50)}
        assert [int(body) for body in dict.fromkeys(bodies)] != list(range(50))
        twins = {event["requestContext"]["messageId"] for event in api.invoker.of("message")}
        assert len(twins) == 50, "a doubled invocation has the same event"


async def test_a_cut_falls_where_the_seed_says_and_in_the_middle_of_a_message(
    http: aiohttp.ClientSession,
) -> None:
    rates = FaultRates(seed=1, cut=0.2)
    decided = Faults(rates)
    last = next(event for event in range(1, 1000) if decided.outgoing(1, event) is not None)
    part = decided.outgoing(1, last)
    assert part is not None
    async with gateway(faults=rates) as api, raw_client(api.port) as client:
        client.writer.write(upgrade())
        await client.read_head()
        for _ in range(last):
            async with http.post(url_of(api), data=b"x" * 1000) as answer:
                assert answer.status == 200, "AWS has taken it, and cannot know"
        wire = await client.reader.read()
        assert len(wire) == (last - 1) * 1004 + int(part * 1004)
        context = (await api.invoker.seen("disconnect"))[0]["requestContext"]
        assert context["disconnectStatusCode"] == 1006
        async with http.post(url_of(api), data=b"x") as answer:
            assert answer.status == 410


async def test_a_message_during_which_the_connection_is_cut_never_arrives() -> None:
    async with (
        gateway(faults=FaultRates(seed=1, cut=1.0)) as api,
        connect(api.socket_url) as client,
    ):
        await client.send("lost")
        assert await close_of(client) is None
        await api.invoker.seen("disconnect")
        assert not api.invoker.of("message")


async def test_half_open_nothing_gets_through_and_nobody_is_told(
    http: aiohttp.ClientSession,
) -> None:
    async with (
        gateway(faults=FaultRates(seed=1, half_open=1.0)) as api,
        connect(api.socket_url, ping_interval=None) as client,
    ):
        await client.send("lost")
        await client.send("lost too")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(await client.ping(), 0.2)
        async with http.post(url_of(api), data=b"lost as well") as answer:
            assert answer.status == 200
        assert not api.invoker.of("message")
        api.clock.set_speed(100_000)
        closed = await close_of(client)
        assert closed is not None and closed.code == 1001
        await api.invoker.seen("disconnect")


async def test_a_410_means_that_the_connection_is_gone_for_the_client_too(
    http: aiohttp.ClientSession,
) -> None:
    async with (
        gateway(faults=FaultRates(seed=1, post_410=1.0)) as api,
        connect(api.socket_url) as client,
    ):
        async with http.post(url_of(api), data=b"x") as answer:
            assert answer.status == 410
        assert await close_of(client) is None
        await api.invoker.seen("disconnect")


async def test_a_429_sends_nothing_and_a_504_may_have_sent(http: aiohttp.ClientSession) -> None:
    async with (
        gateway(faults=FaultRates(seed=1, post_429=1.0)) as api,
        connect(api.socket_url) as client,
    ):
        async with http.post(url_of(api), data=b"refused") as answer:
            assert answer.status == 429
        api.faults.configure({"seed": 1, "post_504": 1.0})
        decided = [api.faults.post(1, event).delivered for event in range(2, 12)]
        assert {True, False} == set(decided)
        for number in range(10):
            async with http.post(url_of(api), data=str(number).encode()) as answer:
                assert answer.status == 504
        api.faults.configure({})
        async with http.post(url_of(api), data=b"end") as answer:
            assert answer.status == 200
        got = []
        async with asyncio.timeout(5):
            while (message := await client.recv()) != "end":
                got.append(message)
        assert got == [str(number) for number in range(10) if decided[number]]


async def test_disconnect_is_dropped_or_delayed() -> None:
    async with gateway(faults=FaultRates(seed=1, drop_disconnect=1.0)) as api:
        async with connect(api.socket_url):
            pass
        await api.settled()
        assert not api.invoker.of("disconnect")
        api.faults.configure({"seed": 1, "delay_disconnect": 1.0, "disconnect_spread": 60})
        wait = api.faults.disconnect(1)
        assert wait is not None
        assert wait > 0.5
        async with connect(api.socket_url):
            pass
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await api.settled()
        assert api.sockets.open_connections == 0
        assert not api.invoker.of("disconnect")
        api.clock.set_speed(10_000)
        await api.invoker.seen("disconnect")


async def replay(seed: int) -> list[tuple[list[int], list[str]]]:
    """Which messages arrived how often, of a few connections one after the other, each until it is
    cut.
    """
    outcomes = []
    async with gateway(
        faults=FaultRates(seed=seed, cut=0.05, double=0.3, reorder=0.3, spread=0.005)
    ) as api:
        for _ in range(4):
            before = len(api.invoker.events)
            with suppress(ConnectionClosed):
                async with connect(api.socket_url) as client:
                    for number in range(40):
                        await client.send(str(number))
                        await (await client.ping())
            await asyncio.sleep(0.03)  # a held-back copy starts at most twice the spread later
            await api.settled()
            bodies = [
                event["body"] for name, event in api.invoker.events[before:] if name == "message"
            ]
            outcomes.append(([bodies.count(str(number)) for number in range(40)], sorted(bodies)))
    return outcomes


async def test_a_seed_replays() -> None:
    first = await replay(11)
    assert await replay(11) == first
    assert await replay(12) != first
