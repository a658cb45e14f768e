"""A visitor's request through the agent to R and back."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from agent.activity import Activity
from agent.http import server
from agent.http.asking import WorkerClient
from agent.http.client_files import ClientFiles
from agent.http.proxy import Proxy
from agent.http.session_pages import LARGEST_PAGE, decoded
from agent.processes.command import WorkerSpec
from agent.processes.worker import Worker
from agent.processes.workers import Workers
from agent.sockets.sessions import Sessions
from chalicelib.agents import protocol
from chalicelib.configuration.worker_limits import WorkerLimits
from relay.settings import LARGEST_FRAME
from tests.workers.agent.fakes import MarkedPages

MakeSpec = Callable[..., WorkerSpec]
KEY = "c0ffee" * 8
AUTH = {protocol.INSTANCE: "0011223344556677", protocol.AGENT_KEY: KEY}


class NoRelay:
    """Takes what the server passes to the relay."""

    def __init__(self) -> None:
        self.said: list[tuple[str, ...]] = []

    async def message(self, connection_id: str, session_id: str, frame: str) -> bool:
        self.said.append((connection_id, session_id, frame))
        return session_id == "known"

    async def disconnect(self, connection_id: str) -> None:
        self.said.append((connection_id,))

    takes_sessions = True

    async def restart(self) -> int:
        return 1

    async def catch_up_with(self, above: int) -> None:
        self.said.append(("above", str(above)))

    def retire(self) -> None:
        self.takes_sessions = False

    def supersede(self) -> None:
        self.retire()

    def active(self) -> int:
        return 2

    def reserved(self) -> int:
        return 1


class Agent:
    """A server with R behind it."""

    def __init__(self, spec: MakeSpec, client: Path) -> None:
        self.app = "routes"
        self.options: dict[str, object] = {}
        self.relay = NoRelay()
        self.watched: list[tuple[str, int]] = []
        self.pages = MarkedPages()
        self.not_pages = self.pages.not_pages
        self.workers = Workers(
            lambda number: Worker(spec(self.app, number=number, **self.options)),
            WorkerLimits(1, 1.0, 2),
        )
        self.asking = WorkerClient(self.workers)
        self.proxy = Proxy(self.asking, self.pages, prefix="20261120T000000Z-0000.0")
        self.bound: list[str] = []
        app = server.AppParts(
            pages=self.proxy.handle,
            sessions=cast(Sessions, self.relay),
            workers=self.workers,
            activity=Activity(lambda: False),
            client=ClientFiles(client),
            orders=self.relay,
        )
        self.application = server.Server(
            AUTH[protocol.INSTANCE], KEY, self.watch, self.bind, app
        ).application()
        self.http: TestClient[web.Request, web.Application]

    def watch(self, token: str, order: int) -> bool:
        self.watched.append((token, order))
        return order == max(known for _, known in self.watched)

    async def bind(self, instance: str) -> None:
        self.bound.append(instance)

    def get(self, path: str, **more: str) -> aiohttp.client._RequestContextManager:
        url = URL(f"{self.http.make_url('/')}{path.removeprefix('/')}", encoded=True)
        return self.http.session.get(url, headers=AUTH | more, allow_redirects=False)


@pytest.fixture
async def agent(spec: MakeSpec, tmp_path: Path) -> AsyncIterator[Agent]:
    (tmp_path / "relay.js").write_text("relay()")
    agent = Agent(spec, tmp_path)
    async with TestClient(TestServer(agent.application)) as agent.http:
        yield agent
        await agent.workers.close()
        await agent.asking.close()


async def test_a_page_gets_the_client_for_its_session_and_true_headers(agent: Agent) -> None:
    answer = await agent.get("/app/", **{"sheen-session": "s1", "sheen-base": "/hello"})
    body = await answer.text()
    assert "<!--s1 /hello--></head>" in body
    assert int(answer.headers["Content-Length"]) == len(body.encode())
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.content_type == "text/html"
    assert agent.not_pages == []


async def test_without_a_seat_or_without_success_html_stays_as_it_is(agent: Agent) -> None:
    assert "<!--s1" not in await (await agent.get("/app/")).text()
    answer = await agent.get("/app/error", **{"sheen-session": "s1"})
    assert (answer.status, await answer.text()) == (500, "<h1>no</h1>")
    assert agent.not_pages == ["s1"]


async def test_requests_reach_r_as_they_were(agent: Agent) -> None:
    answer = await agent.get(
        "/app/headers?x=%2F+%C3%A9&x=2",
        **{"sheen-base": "/hello", "Cookie": "a=1", "Shiny-Shared-Secret": "forged"},
    )
    seen = json.loads(await answer.text())
    assert seen["QUERY_STRING"] == "?x=%2F+%C3%A9&x=2"
    assert seen["HTTP_COOKIE"] == "a=1"
    assert seen["HTTP_X_FORWARDED_PREFIX"] == "/hello"
    assert seen["HTTP_SHINY_SHARED_SECRET"] != "forged"
    assert not [name for name in seen if "SHEEN" in name]


async def test_a_body_is_streamed_to_r(agent: Agent) -> None:
    answer = await agent.http.post("/app/post?q=1", data=b"x" * 3_000_000, headers=AUTH)
    assert await answer.text() == "POST 3000000 ?q=1"


async def test_a_large_answer_is_streamed_back_whole(agent: Agent) -> None:
    answer = await agent.get("/app/large")
    assert len(await answer.read()) == 30_000_000


@pytest.mark.parametrize("largest", ["", "1000000"])
async def test_a_file_larger_than_what_is_read_ahead_arrives_whole_each_time(
    agent: Agent, largest: str
) -> None:
    sizes = []
    for _ in range(12):
        more = {protocol.LARGEST: largest} if largest else {}
        async with asyncio.timeout(20), agent.get("/app/shared/shiny.min.js", **more) as answer:
            sizes.append(len(await answer.read()))
    assert min(sizes) == max(sizes) > 128 * 1024


async def test_a_redirect_stays_in_the_apps_public_path(agent: Agent) -> None:
    answer = await agent.get("/app/redirect", **{"sheen-base": "/hello"})
    assert (answer.status, answer.headers["Location"]) == (302, "/hello/target?a=1")


async def test_r_that_dies_under_a_request_is_told_and_the_next_request_starts_it(
    agent: Agent,
) -> None:
    answer = await agent.get("/app/die")
    assert answer.status == 503
    assert "was killed (SIGKILL)" in await answer.text()
    assert (await agent.get("/app/headers")).status == 200


async def test_a_crash_at_the_start_is_a_page_and_sanitised(agent: Agent) -> None:
    agent.app = "crash"
    answer = await agent.get("/app/", **{"Accept": "text/html", "sheen-session": "s1"})
    body = await answer.text()
    assert answer.status == 500
    assert answer.content_type == "text/html"
    assert "exit status 1" in body
    assert "sales.csv" not in body
    assert agent.not_pages == ["s1"]


async def test_a_crash_shows_what_r_said_when_the_app_is_set_so(agent: Agent) -> None:
    agent.app, agent.options = "crash", {"sanitize_errors": False}
    assert "sales.csv is missing" in await (await agent.get("/app/", Accept="text/html")).text()


async def test_requests_wait_while_r_starts_and_share_it(agent: Agent) -> None:
    answers = await asyncio.gather(*(agent.get("/app/headers") for _ in range(5)))
    assert [answer.status for answer in answers] == [200] * 5
    assert [worker.spec.worker_id for worker in agent.workers.all] == ["20261120T000000Z-0000.0.1"]


async def test_what_only_the_pages_own_worker_has_is_found(agent: Agent) -> None:
    agent.app = "resources"
    async with agent.workers.seated("s1") as first:
        pass
    assert (await agent.get("/app/", **{"sheen-session": "s2"})).status == 200
    second = agent.workers.worker_of("s2")
    assert second is not None and second is not first
    assert (await (await agent.get("/app/made/who.txt")).text()).strip() == second.spec.worker_id
    assert (await agent.get("/app/made/nobody.txt")).status == 404


async def test_a_request_that_names_its_worker_reaches_that_one_and_no_other(agent: Agent) -> None:
    agent.app = "resources"
    for session in ("s1", "s2"):
        assert (await agent.get("/app/", **{"sheen-session": session})).status == 200
    for worker in agent.workers.all:
        answer = await agent.get(f"/app/made/who.txt?w={worker.spec.worker_id}")
        assert (await answer.text()).strip() == worker.spec.worker_id
    gone = await agent.get("/app/made/who.txt?w=20261120T000000Z-0000.0.7")
    assert gone.status == 410
    assert "has ended" in await gone.text()
    full = await agent.get("/app/", **{"sheen-session": "s3", "Accept": "text/html"})
    assert full.status == 503
    assert full.headers["Retry-After"]
    assert "default-src" in full.headers["Content-Security-Policy"]
    line = await agent.get("/app/", **{"sheen-session": "s4", "Accept": "*/*"})
    assert (line.status, line.content_type) == (503, "text/plain")
    assert line.headers["Retry-After"]
    assert agent.not_pages == ["s3", "s4"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({protocol.AGENT_KEY: "0" * 48}, 403),
        ({protocol.AGENT_KEY: ""}, 403),
        ({protocol.INSTANCE: "ffffffffffffffff"}, 410),
        ({protocol.INSTANCE: "ffffffffffffffff", protocol.AGENT_KEY: "0"}, 410),
    ],
)
async def test_who_does_not_know_the_key_or_means_another_instance_is_refused(
    agent: Agent, change: dict[str, str], status: int
) -> None:
    for method, path in [
        ("GET", "/app/"),
        ("POST", "/connections/c"),
        ("POST", "/watch"),
        ("POST", "/bind"),
        ("POST", "/restart"),
        ("POST", "/retire"),
        ("GET", "/status"),
    ]:
        answer = await agent.http.request(method, path, headers=AUTH | change)
        assert (answer.status, protocol.REFUSED in answer.headers) == (status, True)
    assert agent.relay.said == []
    assert not agent.workers.all


async def test_messages_reach_the_relay_by_connection_and_session(agent: Agent) -> None:
    for session, status in [("known", 200), ("other", 404)]:
        answer = await agent.http.post(
            "/connections/c%3D1", data='["ü"]'.encode(), headers=AUTH | {"sheen-session": session}
        )
        assert answer.status == status
    assert (await agent.http.delete("/connections/c%3D1", headers=AUTH)).status == 204
    assert agent.relay.said == [("c=1", "known", '["ü"]'), ("c=1", "other", '["ü"]'), ("c=1",)]


async def test_a_message_that_no_gateway_would_pass_is_refused(agent: Agent) -> None:
    assert (await agent.http.post("/connections/c", data=b"\xff", headers=AUTH)).status == 400
    assert (
        await agent.http.post("/connections/c", data=b"x" * (LARGEST_FRAME + 1), headers=AUTH)
    ).status == 413


async def test_the_watch_token_is_taken(agent: Agent) -> None:
    for token, order, status in [("t", 2, 204), ("late", 1, 409)]:
        assert (
            await agent.http.post("/watch", json={"token": token, "order": order}, headers=AUTH)
        ).status == status
    for wrong in (b"[]", b'{"token": "", "order": 3}', b'{"token": "t", "order": "3"}'):
        assert (await agent.http.post("/watch", data=wrong, headers=AUTH)).status == 400
    assert agent.watched == [("t", 2), ("late", 1)]


async def test_a_retired_instance_refuses_new_sessions_so_that_they_are_seated_elsewhere(
    agent: Agent,
) -> None:
    assert await (await agent.http.post("/restart", headers=AUTH)).json() == {"retired": 1}
    assert (await agent.http.post("/retire", headers=AUTH)).status == 204
    answer = await agent.get("/app/", **{"sheen-session": "s1"})
    assert (answer.status, protocol.REFUSED in answer.headers) == (410, True)
    assert (await agent.get("/app/headers")).status == 200


async def test_the_client_is_kept_for_ever_by_its_hash_and_nothing_else_is_there(
    agent: Agent,
) -> None:
    tag = (await agent.get("/app/__sheen__/relay.js")).headers["ETag"]
    answer = await agent.get(f"/app/__sheen__/relay.js?{tag.strip(chr(34))}")
    assert (await answer.text(), "immutable" in answer.headers["Cache-Control"]) == (
        "relay()",
        True,
    )
    assert "javascript" in answer.headers["Content-Type"]
    assert (await agent.get("/app/__sheen__/relay.js", **{"If-None-Match": tag})).status == 304
    assert (await agent.get("/app/__sheen__/..%2Fapp.R")).status == 404


async def test_the_status_says_what_runs(agent: Agent) -> None:
    assert await (await agent.get("/status")).json() == {
        "sessions": 2,
        "reserved": 1,
        "workers": [],
    }
    await agent.workers.ready()
    [worker] = (await (await agent.get("/status")).json())["workers"]
    assert (worker["id"], worker["state"], worker["sessions"]) == (
        "20261120T000000Z-0000.0.1",
        "ready",
        0,
    )


def test_a_compressed_page_is_read_and_a_bomb_is_not() -> None:
    assert decoded(gzip.compress(b"<html>"), "gzip") == b"<html>"
    assert decoded(zlib.compress(b"<html>"), "deflate") == b"<html>"
    assert decoded(b"<html>", "identity") == b"<html>"
    assert decoded(b"<html>", "br") is None
    assert decoded(b"broken", "gzip") is None
    assert decoded(gzip.compress(b"x" * (LARGEST_PAGE + 1)), "gzip") is None


@pytest.mark.parametrize("largest", ["", "1000000"])
async def test_no_odd_answer_of_an_app_is_our_failure_or_the_next_visitors(
    agent: Agent, largest: str
) -> None:
    more = AUTH | ({protocol.LARGEST: largest} if largest else {})
    for method in ("GET", "HEAD"):
        for path, status in {
            **{f"status?s={status}": status for status in (204, 304, 201, 599)},
            **{f"status?s={status}": 502 for status in (100, 101, 102, 199, 600, 999, 1000, 0, -1)},
            **dict.fromkeys(("no-value", "no-name", "bytes"), 200),
            **dict.fromkeys(("chunked-length", "wrong-length"), 502),
        }.items():
            async with agent.http.request(method, f"/app/{path}", headers=more) as answer:
                body = await answer.text()
                assert answer.status == status or (
                    method == "HEAD" and status == 502 and "length" in path
                ), (method, path, answer.status)
                if status in (204, 304):
                    assert (body, answer.headers["ETag"]) == ("", '"e"')
                elif status == 502 and method == "GET":
                    assert body.startswith("The app's answer "), body
    assert (await agent.get("/app/headers")).status == 200
