"""Pages that R does not make in time: it is asked once, and the visitor gets what it made."""

import asyncio
import re

import pytest
from aiohttp import web

from agent.http.bodies.kept import Answer
from agent.http.bodies.pages import LatePages, PageRequest
from chalicelib.agents import protocol
from chalicelib.agents.protocol import Refusal
from chalicelib.bodies.pages import kept_page
from tests.support.waiting import eventually
from tests.workers.agent.http.bodies.stand import Agent

VISITOR = {protocol.SESSION: "s1", "X-Forwarded-Proto": "https"}
STATUS = re.compile(r'data-status-url="/app(/__sheen__/pages/[^"?]+)\?w&#x3D;v1\.0\.1"')


class Waiting:
    """The page of a busy app, and the token of the page that comes."""

    def __init__(self, text: str, cookie: str) -> None:
        found = STATUS.search(text)
        assert found is not None, text
        self.status = found[1]
        self.token = self.status.rpartition("/")[2]
        self.cookie = cookie


async def late(agent: Agent, path: str = "/slow-page") -> Waiting:
    async with agent.ask("GET", path, headers=VISITOR) as answer:
        assert (answer.status, answer.headers["Retry-After"], answer.headers["Cache-Control"]) == (
            202,
            "5",
            "no-store",
        )
        return Waiting(await answer.text(), answer.headers["Set-Cookie"])


async def ready(agent: Agent, waiting: Waiting) -> None:
    for _ in range(100):
        if (await agent.said("GET", waiting.status, 200))["state"] == "ready":
            return
        await asyncio.sleep(0.1)
    raise AssertionError("not in time")


async def handed(agent: Agent, token: str, path: str = "/slow-page") -> tuple[int, str, str, str]:
    async with agent.ask("GET", path, headers={protocol.PAGE: token}) as answer:
        refused = answer.headers.get(protocol.REFUSED, "")
        return answer.status, await answer.text(), answer.headers.get("Set-Cookie", ""), refused


async def test_a_late_page_is_kept_and_handed_over_once_and_r_is_asked_once(agent: Agent) -> None:
    waiting = await late(agent)
    kept = kept_page(
        waiting.cookie.partition(";")[0].replace("v1.0.1", "20261120T000000Z-0000.0.1")
    )
    assert kept is not None and kept.token == waiting.token
    assert waiting.cookie.endswith("Path=/app/; Max-Age=900; SameSite=None; Secure; Partitioned")
    async with agent.ask("GET", "/slow-page", headers={protocol.PAGE: waiting.token}) as again:
        assert again.status == 202, (
            "who loads the waiting page again goes on waiting for the same page"
        )
        assert Waiting(await again.text(), "").token == waiting.token
    await ready(agent, waiting)
    assert (await handed(agent, waiting.token, "/slow-page?x=1"))[3] == Refusal.NO_PAGE.text
    status, text, cookie, _ = await handed(agent, waiting.token)
    assert (status, "page 1" in " ".join(text.split()), "<!-- page -->" in text) == (
        200,
        True,
        True,
    )
    assert cookie.startswith("sheen-page=; Path=/app/; Max-Age=0")
    assert (await handed(agent, waiting.token))[3] == Refusal.NO_PAGE.text
    await agent.said("GET", waiting.status, 404)
    assert agent.not_pages == []


async def test_a_late_answer_that_is_no_page_comes_all_the_same(agent: Agent) -> None:
    waiting = await late(agent, "/slow")
    await ready(agent, waiting)
    status, text, _, _ = await handed(agent, waiting.token, "/slow")
    assert (status, text.strip()) == (200, "slow")
    assert agent.not_pages == ["s1"]


async def test_a_page_whose_seat_was_given_away_meanwhile_is_asked_for_anew(agent: Agent) -> None:
    waiting = await late(agent)
    await ready(agent, waiting)
    agent.live.discard("s1")
    assert (await handed(agent, waiting.token))[3] == Refusal.NO_PAGE.text


async def test_a_page_that_nobody_waits_for_leaves_nothing(agent: Agent) -> None:
    waiting = await late(agent, "/slow")
    assert len(agent.pages) == 1
    await eventually(
        lambda: not len(agent.pages) and "s1" in agent.not_pages and not agent.workers.users
    )
    await agent.said("GET", waiting.status, 404)


ASKED = PageRequest("/", "s1", "/app", False)


def made(size: int, gate: asyncio.Event) -> asyncio.Task[Answer]:
    async def make() -> Answer:
        await gate.wait()
        return web.Response(body=b"x" * size)

    return asyncio.create_task(make())


async def test_so_many_and_so_much_are_kept_and_so_long() -> None:
    now = 0.0
    kept = LatePages(
        lambda: "v1.0.1",
        lambda session: True,
        lambda: now,
        patience=0.0,
        longest=60.0,
        most=3,
        most_bytes=100,
    )
    tokens = []
    gate = asyncio.Event()
    every = []
    for size in (60, 30, 30):
        every.append(made(size, gate))
        answer = await kept.within_patience(every[-1], asyncio.Event(), ASKED)
        assert answer is not None and isinstance(answer.text, str)
        found = STATUS.search(answer.text)
        assert found is not None
        tokens.append(found[1])
    refused = await kept.within_patience(made(1, gate), asyncio.Event(), ASKED)
    assert refused is not None and refused.status == 503
    gate.set()
    await asyncio.gather(*every)
    await asyncio.sleep(0)
    assert [kept.status(path).status for path in tokens] == [404, 200, 200]
    now = 61.0
    assert [kept.status(path).status for path in tokens] == [404, 404, 404]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sheen-page=",
        "sheen-page=x.v.0.1",
        "sheen-page=" + "a" * 30,
        "sheen-page=" + "a" * 30 + ".../..",
        "a; =;",
    ],
)
def test_a_cookie_that_names_no_page_is_none(text: str) -> None:
    assert kept_page(text) is None
