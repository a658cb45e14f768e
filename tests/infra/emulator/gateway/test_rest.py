from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from infra.emulator.faults import FaultRates
from infra.emulator.gateway import AWS, Invocation, Throttled, TimedOut, TokenBucket
from tests.infra.emulator.gateway.stand import Gateway, gateway, raw_client


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield session


@pytest.fixture
async def api() -> AsyncIterator[Gateway]:
    async with gateway() as running:
        yield running


def page(body: bytes, **headers: str) -> dict[str, Any]:
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "text/html", **headers},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


async def test_a_request_reaches_the_function_and_its_page_the_client(
    api: Gateway, http: aiohttp.ClientSession
) -> None:
    api.invoker.functions["page"] = lambda event: page(b"<p>hi \xff</p>")
    async with http.get(f"{api.url}/hello/a%20b/?x=1", headers={"Cookie": "s=1"}) as answer:
        assert answer.status == 200
        assert await answer.read() == b"<p>hi \xff</p>"
        assert answer.headers["Content-Type"] == "text/html"
        assert (
            answer.headers["x-amzn-RequestId"]
            == api.invoker.of("page")[0]["requestContext"]["requestId"]
        )
    event = api.invoker.of("page")[0]
    assert event["path"] == event["requestContext"]["path"] == "/hello/a%20b/"
    assert event["headers"]["Host"] == f"127.0.0.1:{api.port}"
    assert event["headers"]["X-Forwarded-Port"] == str(api.port)
    assert event["requestContext"]["identity"]["sourceIp"] == "127.0.0.1"


async def test_two_cookies_arrive_as_two_headers(api: Gateway, http: aiohttp.ClientSession) -> None:
    api.invoker.functions["page"] = lambda event: {
        "statusCode": 302,
        "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"], "Location": ["/x"]},
    }
    async with http.get(api.url, allow_redirects=False) as answer:
        assert answer.status == 302
        assert answer.headers.getall("Set-Cookie") == ["a=1", "b=2"]
        assert answer.headers["Location"] == "/x"


async def test_bodies_go_both_ways_byte_for_byte(api: Gateway, http: aiohttp.ClientSession) -> None:
    api.invoker.functions["page"] = lambda event: page(base64.b64decode(event["body"]))
    body = bytes(range(256)) * 1000
    async with http.post(f"{api.url}/x", data=body, headers={"Content-Encoding": "gzip"}) as answer:
        assert await answer.read() == body


async def test_a_chunked_body_arrives_whole(api: Gateway, http: aiohttp.ClientSession) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for number in range(5):
            yield bytes([number]) * 1000

    async with http.post(f"{api.url}/x", data=chunks()) as answer:
        assert answer.status == 200
    event = api.invoker.of("page")[0]
    assert len(base64.b64decode(event["body"])) == 5000
    assert "Transfer-Encoding" not in event["headers"]


async def test_head_has_the_headers_and_no_body(api: Gateway, http: aiohttp.ClientSession) -> None:
    api.invoker.functions["page"] = lambda event: page(b"12345")
    async with http.head(f"{api.url}/x") as answer:
        assert (answer.status, await answer.read()) == (200, b"")


async def test_a_method_without_a_route_is_403_missing_authentication_token(
    api: Gateway, http: aiohttp.ClientSession
) -> None:
    async with http.request("TRACE", f"{api.url}/x") as answer:
        assert answer.status == 403
        assert await answer.json() == {"message": "Missing Authentication Token"}
    assert not api.invoker.events


async def test_ping_at_the_root_is_api_gateways_own(
    api: Gateway, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{api.url}/ping") as answer:
        assert answer.status == 200
    assert not api.invoker.events


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_may_have_ten_megabytes_and_no_more(
    http: aiohttp.ClientSession, announced: bool
) -> None:
    async def pieces(size: int) -> AsyncIterator[bytes]:
        for start in range(0, size, 1024 * 1024):
            yield b"x" * min(1024 * 1024, size - start)

    def body(size: int) -> Any:
        return io.BytesIO(b"x" * size) if announced else pieces(size)

    async with gateway(
        limits=replace(AWS, lambda_payload=2 * AWS.body)
    ) as api:  # else Lambda's limit comes first
        async with http.post(f"{api.url}/x", data=body(AWS.body)) as answer:
            assert answer.status == 200
        async with http.post(f"{api.url}/x", data=body(AWS.body + 1)) as answer:
            assert answer.status == 413
            assert await answer.json() == {"message": "Request Too Long"}
        assert len(api.invoker.events) == 1


@pytest.mark.parametrize(
    ("query", "header", "status"),
    [(9000, 500, 200), (10_300, 0, 414), (0, 9900, 200), (0, 10_300, 431), (5000, 5300, 431)],
)
async def test_a_url_and_headers_may_have_ten_kilobytes(
    api: Gateway, query: int, header: int, status: int
) -> None:
    async with (
        aiohttp.ClientSession(headers={"X-Long": "h" * header}) as http,
        http.get(f"{api.url}/a?{'q' * query}") as answer,
    ):
        assert answer.status == status
        if status != 200:
            assert list(await answer.json()) == ["message"]
    assert len(api.invoker.events) == (status == 200)


async def test_an_event_over_lambdas_six_megabytes_is_413(
    api: Gateway, http: aiohttp.ClientSession
) -> None:
    async with http.post(f"{api.url}/x", data=io.BytesIO(b"x" * 4_600_000)) as answer:
        assert answer.status == 200
    async with http.post(
        f"{api.url}/x", data=io.BytesIO(b"x" * 4_800_000)
    ) as answer:  # times 4/3 for base64
        assert answer.status == 413
    assert len(api.invoker.events) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Invocation(b'{"errorMessage": "boom"}', "Unhandled"),
        Invocation(
            json.dumps({"statusCode": 200, "body": "x" * (AWS.lambda_payload - 20)}).encode()
        ),
        Invocation(b'{"statusCode": 200, "body": {}}'),
        Invocation(b"null"),
    ],
    ids=["raised", "over 6 MB", "malformed", "null"],
)
async def test_a_function_that_fails_is_502(
    api: Gateway, http: aiohttp.ClientSession, answer: Invocation
) -> None:
    api.invoker.functions["page"] = lambda event: answer
    async with http.get(api.url) as got:
        assert got.status == 502
        assert await got.json() == {"message": "Internal server error"}


async def test_an_answer_of_just_six_megabytes_passes(
    api: Gateway, http: aiohttp.ClientSession
) -> None:
    shell = len(b'{"statusCode": 200, "body": ""}')
    payload = b'{"statusCode": 200, "body": "' + b"x" * (AWS.lambda_payload - shell) + b'"}'
    assert len(payload) == AWS.lambda_payload
    api.invoker.functions["page"] = lambda event: payload
    async with http.get(api.url) as got:
        assert got.status == 200
        assert len(await got.read()) == AWS.lambda_payload - shell


async def test_a_throttled_function_is_500_as_rest_apis_do_not_pass_429_on(
    api: Gateway, http: aiohttp.ClientSession
) -> None:
    def busy(event: dict[str, Any]) -> None:
        raise Throttled("page")

    api.invoker.functions["page"] = busy
    async with http.get(api.url) as got:
        assert got.status == 500
        assert await got.json() == {"message": "Internal server error"}


async def test_a_function_that_takes_too_long_is_504_and_goes_on(
    http: aiohttp.ClientSession,
) -> None:
    finished = asyncio.Event()
    release = asyncio.Event()

    async def slow(event: dict[str, Any]) -> dict[str, Any]:
        await release.wait()
        finished.set()
        return {"statusCode": 200}

    async with gateway(limits=replace(AWS, integration_timeout=0.05)) as api:
        api.invoker.functions["page"] = slow
        async with http.get(api.url) as got:
            assert got.status == 504
            assert await got.json() == {"message": "Endpoint request timed out"}
        release.set()
        async with asyncio.timeout(5):
            await finished.wait()


async def test_an_invoker_that_gives_up_waiting_is_504(
    api: Gateway, http: aiohttp.ClientSession
) -> None:
    def late(event: dict[str, Any]) -> None:
        raise TimedOut("page")

    api.invoker.functions["page"] = late
    async with http.get(api.url) as got:
        assert got.status == 504


async def test_a_fast_clock_does_not_shorten_the_functions_time(
    http: aiohttp.ClientSession,
) -> None:
    async def quick(event: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(0.05)
        return {"statusCode": 200}

    async with gateway(speed=100_000) as api:
        api.invoker.functions["page"] = quick
        async with http.get(api.url) as got:
            assert got.status == 200


async def test_past_the_stages_own_rate_requests_are_429_whatever_the_account_has_left(
    http: aiohttp.ClientSession,
) -> None:
    async with gateway(stage=TokenBucket(0.001, 2)) as api:
        statuses = []
        for _ in range(3):
            async with http.get(f"{api.url}/a") as got:
                statuses.append(got.status)
        assert statuses == [200, 200, 429]


async def test_past_the_accounts_rate_requests_are_429(http: aiohttp.ClientSession) -> None:
    async with gateway(limits=replace(AWS, requests=0, request_burst=2)) as api:
        statuses = []
        for _ in range(3):
            async with http.get(api.url) as got:
                statuses.append(got.status)
                last = await got.json(content_type=None) if got.status == 429 else None
        assert statuses == [200, 200, 429]
        assert last == {"message": "Too Many Requests"}


async def test_with_given_binary_types_text_stays_text(http: aiohttp.ClientSession) -> None:
    async with gateway(binary=("application/octet-stream",)) as api:
        headers = {"Content-Type": "application/json", "Accept": "application/octet-stream"}
        api.invoker.functions["page"] = lambda event: page(b"\x00")
        async with http.post(f"{api.url}/x", data=b'{"a": 1}', headers=headers) as got:
            assert await got.read() == b"\x00"
        event = api.invoker.of("page")[0]
        assert (event["body"], event["isBase64Encoded"]) == ('{"a": 1}', False)
        async with http.post(f"{api.url}/x", data=b"x", headers={"Accept": "text/html"}) as got:
            assert await got.read() == b"AA=="


async def test_an_absolute_request_target_is_taken_for_its_path(api: Gateway) -> None:
    async with raw_client(api.port) as client:
        client.writer.write(
            b"GET http://gateway.test/a/b?c=d HTTP/1.1\r\nHost: gateway.test\r\n\r\n"
        )
        assert "200 OK" in await client.read_head()
    event = api.invoker.of("page")[0]
    assert (event["path"], event["queryStringParameters"]) == ("/a/b", {"c": "d"})


async def test_a_lost_answer_is_504_after_the_function_ran(http: aiohttp.ClientSession) -> None:
    async with gateway(faults=FaultRates(seed=1, rest_504=1.0, delay=1.0, spread=0.01)) as api:
        async with http.get(api.url) as got:
            assert got.status == 504
        assert len(api.invoker.of("page")) == 1


async def test_counters_tell_what_was_answered(api: Gateway, http: aiohttp.ClientSession) -> None:
    async with http.get(api.url):
        pass
    assert api.rest.counters == {"requests": 1, "status_200": 1}
