"""A REST API with a minimum compression size compresses what is large enough, once, for who likes
that.
"""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from infra.emulator.gateway.compression import AT_ONCE, wanted
from tests.infra.emulator.gateway.stand import Gateway, gateway

TEXT = b"body { color: black }\n" * 100
Undo = Callable[[bytes], bytes]


def answer(body: bytes, **headers: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _event: {
        "statusCode": 200,
        "headers": named,
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


@pytest.fixture
async def api() -> AsyncIterator[Gateway]:
    async with gateway(compression=1024) as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(
        auto_decompress=False, skip_auto_headers=["Accept-Encoding"]
    ) as session:
        yield session


async def got(
    api: Gateway, http: aiohttp.ClientSession, accept: str | None
) -> tuple[str | None, bytes]:
    headers = {} if accept is None else {"Accept-Encoding": accept}
    async with http.get(f"{api.url}/x", headers=headers) as response:
        return response.headers.get("Content-Encoding"), await response.read()


@pytest.mark.parametrize(
    ("accept", "coding", "undo"),
    [("gzip, deflate, br", "gzip", gzip.decompress), ("deflate", "deflate", zlib.decompress)],
)
@pytest.mark.parametrize("kind", ["text/css", "text/javascript", "application/json", "text/html"])
@pytest.mark.parametrize("size", [1024, AT_ONCE + 1])
async def test_what_is_asked_for_is_compressed(
    api: Gateway,
    http: aiohttp.ClientSession,
    accept: str,
    coding: str,
    undo: Undo,
    kind: str,
    size: int,
) -> None:
    body = (TEXT * (size // len(TEXT) + 1))[:size]
    api.invoker.functions["page"] = answer(body, Content_Type=kind)
    found, sent = await got(api, http, accept)
    assert found == coding
    assert undo(sent) == body and len(sent) < len(body) / 2


@pytest.mark.parametrize("accept", [None, "identity", "br", "br, gzip;q=0.5", "gzip;q=0", ""])
async def test_what_is_not_asked_for_first_is_not_compressed(
    api: Gateway, http: aiohttp.ClientSession, accept: str | None
) -> None:
    api.invoker.functions["page"] = answer(TEXT)
    assert await got(api, http, accept) == (None, TEXT)


async def test_a_small_answer_is_not_compressed(api: Gateway, http: aiohttp.ClientSession) -> None:
    api.invoker.functions["page"] = answer(TEXT[:1023])
    assert await got(api, http, "gzip") == (None, TEXT[:1023])


@pytest.mark.parametrize("coding", ["gzip", "br"])
async def test_what_r_or_the_agent_has_compressed_passes_unchanged(
    api: Gateway, http: aiohttp.ClientSession, coding: str
) -> None:
    body = gzip.compress(bytes(range(256)) * 64, 0)
    api.invoker.functions["page"] = answer(body, Content_Encoding=coding)
    assert await got(api, http, "gzip, deflate, br") == (coding, body)


async def test_without_a_minimum_nothing_is_compressed(http: aiohttp.ClientSession) -> None:
    async with gateway() as plain:
        plain.invoker.functions["page"] = answer(TEXT)
        assert await got(plain, http, "gzip") == (None, TEXT)


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("gzip, deflate, br, zstd", "gzip"),
        ("deflate, gzip;q=1.0", "deflate"),
        ("deflate;q=0.5, GZIP ; q=0.8", "gzip"),
        ("gzip;q=odd", None),
        ("*", None),
        (",;q=1,", None),
    ],
)
def test_the_coding_that_a_client_likes_best(header: str, coding: str | None) -> None:
    assert wanted(header) == coding
