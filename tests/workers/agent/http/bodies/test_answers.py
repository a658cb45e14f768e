"""Answers too large or too late for a Lambda."""

import gzip
import os
import signal
from typing import Any

import pytest

from chalicelib.agents import protocol
from chalicelib.configuration.limits import PART
from tests.support.waiting import eventually
from tests.workers.agent.http.bodies.stand import Agent, Bucket

LARGE = b"0123456789" * 300_000


async def test_a_small_answer_comes_as_it_is(agent: Agent, bucket: Bucket) -> None:
    async with agent.ask("GET", "/small") as answer:
        assert (answer.status, await answer.text(), answer.headers["X-Other"]) == (
            200,
            "small",
            "1",
        )
    assert bucket.empty()


async def test_a_large_answer_is_fetched_from_s3_under_its_name(
    agent: Agent, bucket: Bucket, fetch: Any
) -> None:
    answer = await agent.follow("GET", "/large.csv")
    assert (answer.status, answer.body) == (303, b"")
    async with fetch(answer.location) as got:
        assert await got.read() == LARGE
        assert got.headers["Content-Disposition"] == "attachment; filename*=UTF-8''large.csv"
        assert (got.content_type, got.headers["Cache-Control"]) == ("text/csv", "private, no-cache")
    async with fetch(answer.location, headers={"Range": "bytes=5-14"}) as got:
        assert (got.status, await got.read()) == (206, b"5678901234")
    assert bucket.uploads() == []


async def test_a_large_text_goes_gzipped_when_that_is_small_enough(
    agent: Agent, bucket: Bucket
) -> None:
    answer = await agent.follow(
        "POST", "/post?n=3000000", data=b"", headers={"Accept-Encoding": "gzip"}
    )
    assert (answer.status, answer.body) == (200, LARGE)
    assert bucket.empty()


async def test_head_has_the_body_that_the_gateway_counts_or_none_if_it_is_too_large(
    agent: Agent, bucket: Bucket
) -> None:
    answer = await agent.follow("GET", "/small", headers={protocol.HEAD: "1"})
    assert (answer.status, answer.body) == (200, b"small")
    answer = await agent.follow("GET", "/large.csv", headers={protocol.HEAD: "1"})
    assert (answer.status, answer.body) == (200, b"")
    assert bucket.empty()


async def test_who_takes_any_size_gets_it_as_it_streams(agent: Agent, bucket: Bucket) -> None:
    async with agent.ask("GET", "/large.csv", largest=None) as answer:
        assert (answer.status, await answer.read()) == (200, LARGE)
    assert bucket.empty()


@pytest.mark.parametrize(("n", "status"), [(999_900, 200), (1_000_000, 303)])
async def test_a_posts_answer_too_goes_by_its_size(
    agent: Agent, fetch: Any, n: int, status: int
) -> None:
    answer = await agent.follow(
        "POST", f"/post?n={n}", data=b"ten bytes.", headers={"Accept-Encoding": "identity"}
    )
    assert answer.status == status
    body = answer.body
    if status == 303:
        async with fetch(answer.location) as got:
            body = await got.read()
    assert len(body) == n + 100


async def test_an_error_too_large_to_pass_on_is_not_made_a_success(
    agent: Agent, bucket: Bucket
) -> None:
    answer = await agent.follow("GET", "/error")
    assert (answer.status, answer.body) == (502, b"The app's answer 500 is too large to pass on.\n")
    assert bucket.empty()


async def test_a_range_too_large_to_pass_on_is_given_by_s3(agent: Agent, fetch: Any) -> None:
    answer = await agent.follow("GET", "/range", headers={"Range": "bytes=0-1999999"})
    assert answer.status == 303
    async with fetch(answer.location, headers={"Range": "bytes=0-1999999"}) as got:
        assert (got.status, got.content_type, len(await got.read())) == (
            206,
            "video/mp4",
            2_000_000,
        )


async def test_a_large_page_stays_a_page_in_fewer_bytes(agent: Agent, bucket: Bucket) -> None:
    agent.pages.patience = 30.0
    sent = {"sheen-session": "s1", "Accept-Encoding": "br, gzip"}
    async with agent.ask("GET", "/", headers=sent) as answer:
        assert (answer.status, answer.headers["Content-Encoding"]) == (200, "gzip")
        packed = await answer.read() if not agent.http.session.auto_decompress else b""
        page = gzip.decompress(packed) if packed else await answer.read()
    assert len(page) > 3_000_000 and page.endswith(b"<!-- page -->")
    assert int(answer.headers["Content-Length"]) < 1_000_000
    assert bucket.empty()


async def test_a_late_answer_is_asked_for_until_it_is_there_and_once(agent: Agent) -> None:
    answer = await agent.follow("POST", "/slow", data=b"sent")
    assert (answer.status, answer.body) == (200, b"slow sent")
    assert answer.hops >= 2
    async with agent.ask("POST", "/slow", data=b"x") as late:
        where = late.headers["Location"].removeprefix("/app")
    assert (await agent.follow("GET", where)).body == b"slow x"
    assert (await agent.follow("GET", where)).status == 404


async def test_a_late_and_large_answer(agent: Agent, fetch: Any) -> None:
    answer = await agent.follow("GET", "/slow-large", headers={"Accept-Encoding": "identity"})
    assert answer.status == 303 and answer.hops >= 2
    async with fetch(answer.location) as got:
        assert await got.read() == LARGE


async def test_an_answer_that_nobody_asks_for_again_leaves_nothing(
    agent: Agent, bucket: Bucket
) -> None:
    async with agent.ask("GET", "/slow-large") as answer:
        assert answer.status == 303
    assert agent.workers.users == 1, "R still makes it"
    await eventually(lambda: agent.workers.users == 0)
    await eventually(bucket.empty)


async def test_r_that_dies_under_a_late_answer_is_told(agent: Agent) -> None:
    async with agent.ask("GET", "/slow") as answer:
        where = answer.headers["Location"].removeprefix("/app")
    [worker] = agent.workers.all
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    assert (await agent.follow("GET", where)).status == 503


async def test_what_cannot_be_stored_is_told_and_leaves_nothing(
    agent: Agent, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> Any:
        yield b"x" * (PART + 1)
        raise OSError("R broke off")

    with pytest.raises(OSError, match="broke off"):
        await agent.kept.keep({}, "/x", broken())
    await eventually(bucket.empty)
