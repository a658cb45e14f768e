from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect

from infra.emulator.gateway import AWS
from infra.emulator.gateway.management import connection_id_of
from tests.infra.emulator.gateway.stand import Gateway, close_of, gateway, raw_client, upgrade


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture(params=["unread", "read", "passed"])
async def api(request: pytest.FixtureRequest) -> AsyncIterator[Gateway]:
    async with gateway(body=request.param) as running:
        yield running


def url_of(api: Gateway) -> str:
    return api.connections_url(api.invoker.of("connect")[-1]["requestContext"]["connectionId"])


async def post(http: aiohttp.ClientSession, url: str, data: bytes) -> tuple[int, str | None]:
    async with http.post(url, data=data) as answer:
        await answer.read()
        return answer.status, answer.headers.get("x-amzn-ErrorType")


@given(st.binary(min_size=11, max_size=11))
def test_ids_are_read_from_paths_as_clients_encode_them(raw: bytes) -> None:
    import base64
    from urllib.parse import quote

    one = base64.urlsafe_b64encode(raw).decode()
    assert connection_id_of(f"/socket/@connections/{quote(one, safe='')}", "socket") == one
    assert connection_id_of(f"/socket/%40connections/{one}", "socket") == one
    assert connection_id_of(f"/other/@connections/{one}", "socket") is None
    assert connection_id_of("/socket/@connections/", "socket") is None


async def test_a_post_reaches_the_client_as_text(api: Gateway, http: aiohttp.ClientSession) -> None:
    async with connect(api.socket_url) as client:
        assert await post(http, url_of(api), "hé".encode()) == (200, None)
        assert await client.recv() == "hé"
    assert api.sockets.counters["posts"] == 1
    assert api.sockets.counters["post_bytes"] == 3


@pytest.mark.parametrize("size", [32_768, 32_769, 65_536, 131_072])
async def test_a_large_post_is_one_message_in_frames_of_at_most_32_kb(
    api: Gateway, http: aiohttp.ClientSession, size: int
) -> None:
    async with raw_client(api.port) as client:
        client.writer.write(upgrade())
        await client.read_head()
        data = ("é" * size).encode()[:size]
        data = data.decode("utf-8", "ignore").encode().ljust(size, b"x")
        assert (await post(http, url_of(api), data))[0] == 200
        frames = [await client.read_frame()]
        while not frames[-1].fin:
            frames.append(await client.read_frame())
    assert b"".join(frame.data for frame in frames) == data
    assert [frame.opcode for frame in frames] == [1] + [0] * (len(frames) - 1)
    assert max(len(frame.data) for frame in frames) <= 32_768
    assert len(frames) == -(-size // 32_768)


async def test_a_post_over_131072_bytes_is_413_and_sends_nothing(
    api: Gateway, http: aiohttp.ClientSession
) -> None:
    async with connect(api.socket_url) as client:
        assert await post(http, url_of(api), b"x" * 131_073) == (413, "PayloadTooLargeException")
        assert (await post(http, url_of(api), b"next"))[0] == 200
        assert await client.recv() == "next"


async def test_a_post_that_is_no_text_is_refused(api: Gateway, http: aiohttp.ClientSession) -> None:
    async with connect(api.socket_url) as client:
        assert (await post(http, url_of(api), b"\xff"))[0] == 400
        await (await client.ping())


async def test_a_post_before_connect_has_answered_is_410(
    api: Gateway, http: aiohttp.ClientSession
) -> None:
    seen: list[tuple[int, str | None]] = []

    async def early(event: dict[str, Any]) -> dict[str, Any]:
        url = api.connections_url(event["requestContext"]["connectionId"])
        seen.append(await post(http, url, b"too early"))
        return {"statusCode": 200}

    api.invoker.functions["connect"] = early
    async with connect(api.socket_url) as client:
        assert seen == [(410, "GoneException")]
        assert (await post(http, url_of(api), b"now"))[0] == 200
        assert await client.recv() == "now"


async def test_every_call_on_a_connection_that_is_gone_is_410(
    api: Gateway, http: aiohttp.ClientSession
) -> None:
    async with connect(api.socket_url):
        pass
    await api.invoker.seen("disconnect")
    for method in ("POST", "GET", "DELETE"):
        async with http.request(method, url_of(api)) as answer:
            assert answer.status == 410
            assert answer.headers["x-amzn-ErrorType"] == "GoneException"
    assert await post(http, api.connections_url("AAAAAAAAAAAAAAA="), b"x") == (410, "GoneException")


async def test_delete_closes_and_get_describes(api: Gateway, http: aiohttp.ClientSession) -> None:
    async with connect(api.socket_url, user_agent_header="Browser/1") as client:
        async with http.get(url_of(api)) as answer:
            described = await answer.json()
        assert described["identity"] == {"sourceIp": "127.0.0.1", "userAgent": "Browser/1"}
        assert described["connectedAt"] <= described["lastActiveAt"]
        async with http.delete(url_of(api)) as answer:
            assert answer.status == 204
        closed = await close_of(client)
        assert closed is not None
        assert closed.code == 1000
    context = (await api.invoker.seen("disconnect"))[0]["requestContext"]
    assert context["disconnectReason"] == "Connection Closed Normally"


async def test_a_path_of_another_stage_is_403(api: Gateway, http: aiohttp.ClientSession) -> None:
    assert await post(http, f"{api.url}/other/@connections/abc", b"x") == (
        403,
        "ForbiddenException",
    )


async def test_a_client_that_does_not_read_makes_posts_429_and_loses_none_that_were_taken(
    http: aiohttp.ClientSession,
) -> None:
    async with (
        gateway(limits=replace(AWS, client_buffer=200_000, socket_buffer=8192)) as api,
        raw_client(api.port) as client,
    ):
        client.writer.write(upgrade())
        await client.read_head()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        taken, status, error = 0, 200, None
        while status == 200 and taken < 2000:
            status, error = await post(http, url_of(api), b"%05d" % taken + b"x" * 20_000)
            taken += status == 200
        assert (status, error) == (429, "LimitExceededException")
        client.writer.transport.resume_reading()  # type: ignore[attr-defined]
        got = [(await client.read_frame()).data[:5] for _ in range(taken)]
        assert got == [b"%05d" % number for number in range(taken)]
        assert (await post(http, url_of(api), b"again"))[0] == 200
        assert (await client.read_frame()).data == b"again"


async def test_past_the_accounts_rate_posts_are_429(http: aiohttp.ClientSession) -> None:
    async with (
        gateway(limits=replace(AWS, requests=0, request_burst=2)) as api,
        connect(api.socket_url),
    ):
        assert (await post(http, url_of(api), b"x"))[0] == 200
        assert await post(http, url_of(api), b"x") == (429, "LimitExceededException")


async def test_boto3_reads_the_answers_as_awss_own(api: Gateway) -> None:
    client = boto3.client(
        "apigatewaymanagementapi",
        region_name="us-east-1",
        endpoint_url=f"{api.url}/socket",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    async with connect(api.socket_url) as visitor:
        connection_id = api.invoker.of("connect")[0]["requestContext"]["connectionId"]
        await asyncio.to_thread(
            client.post_to_connection, ConnectionId=connection_id, Data=b"from boto3"
        )
        assert await visitor.recv() == "from boto3"
        described = await asyncio.to_thread(client.get_connection, ConnectionId=connection_id)
        assert described["Identity"]["SourceIp"] == "127.0.0.1"
        assert described["ConnectedAt"].tzinfo is not None
        with pytest.raises(client.exceptions.PayloadTooLargeException):
            await asyncio.to_thread(
                client.post_to_connection, ConnectionId=connection_id, Data=b"x" * 131_073
            )
        await asyncio.to_thread(client.delete_connection, ConnectionId=connection_id)
    await api.invoker.seen("disconnect")
    with pytest.raises(client.exceptions.GoneException):
        await asyncio.to_thread(client.post_to_connection, ConnectionId=connection_id, Data=b"x")
    with pytest.raises(ClientError):
        await asyncio.to_thread(client.delete_connection, ConnectionId=connection_id)
