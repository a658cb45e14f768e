"""What R learns of the visitor: the session's WebSocket says what the page's request said."""

import html
import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from multidict import CIMultiDict

from agent.http import r_socket
from agent.http.asking import WorkerClient
from agent.http.proxy import Proxy
from agent.processes.command import WorkerSpec
from agent.processes.worker import Worker
from agent.processes.workers import Workers
from tests.workers.agent.fakes import MarkedPages

VISITOR = {
    "Host": "apps.example.com:8443",
    "User-Agent": "Mozilla/5.0 (a visitor)",
    "Accept-Language": "de-DE,de;q=0.8",
    "Accept": "text/html",
    "Cookie": "set=before; theme=dark",
    "If-None-Match": '"x"',
    "Sec-Fetch-Dest": "document",
    "X-Forwarded-For": "192.0.2.7",
    "X-Forwarded-Proto": "https",
    "sheen-address": "192.0.2.7",
    "sheen-session": "s1",
    "sheen-base": "/hello",
}
SAME = (
    "HTTP_HOST",
    "HTTP_USER_AGENT",
    "HTTP_ACCEPT_LANGUAGE",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_PREFIX",
    "REMOTE_ADDR",
    "SERVER_NAME",
    "SERVER_PORT",
    "rook.url_scheme",
)


class Stand:
    """R, and the proxy before it."""

    def __init__(self, spec: Callable[..., WorkerSpec]) -> None:
        self.workers = Workers(lambda number: Worker(spec("visitor", number=number)))
        self.asking = WorkerClient(self.workers)
        self.pages = MarkedPages("")
        self.proxy = Proxy(self.asking, self.pages)
        self.http: TestClient[web.Request, web.Application]

    async def page(self, sent: dict[str, str]) -> dict[str, str]:
        """What R knew when it made the page."""
        async with (
            aiohttp.ClientSession() as http,
            http.get(self.http.make_url("/"), headers=sent) as answer,
        ):
            text = await answer.text()
        found = re.search(r'<pre id="page">(.*?)</pre>', text, re.DOTALL)
        assert found is not None, text
        said: dict[str, str] = json.loads(html.unescape(found[1]))
        return said

    async def session(self, session: str) -> dict[str, str]:
        """What R knows in the session."""
        socket = await r_socket.connect(self.workers, session, *self.pages.requests.of(session))
        data: dict[str, Any] = {".clientdata_output_session_hidden": False}
        await socket.send(json.dumps({"method": "init", "data": data}))
        async for message in socket:
            values = json.loads(message).get("values") or {}
            if "session" in values:
                await socket.close()
                said: dict[str, str] = json.loads(values["session"])
                return said
        raise AssertionError("R closed the socket")


@pytest.fixture
async def stand(spec: Callable[..., WorkerSpec]) -> AsyncIterator[Stand]:
    stand = Stand(spec)
    application = web.Application()

    async def visit(request: web.Request) -> web.StreamResponse:
        return await stand.proxy.handle(request, request.rel_url.raw_path)

    application.router.add_route("*", "/{tail:.*}", visit)
    async with TestClient(TestServer(application)) as stand.http:
        yield stand
        await stand.workers.close()
        await stand.asking.close()


@pytest.mark.parametrize("headers", [("x-role",), ()])
async def test_a_page_and_its_session_have_the_listed_headers_and_nothing_that_reads_like_them(
    spec: Callable[..., WorkerSpec], stand: Stand, headers: tuple[str, ...]
) -> None:
    stand.workers = stand.asking.workers = Workers(
        lambda number: Worker(replace(spec("visitor", number=number), headers=headers))
    )
    forged = {"X_Role": "admin", "X_ROLE": "root", "X-Team": "all", "Remote-User": "admin"}
    page = await stand.page(VISITOR | {"X-Role": "analyst"} | forged)
    session = await stand.session("s1")
    for said in (page, session):
        assert said.get("HTTP_X_ROLE") == ("analyst" if headers else None)
        assert not {"HTTP_X_TEAM", "HTTP_REMOTE_USER"} & said.keys()
    forged_only = await stand.page(VISITOR | forged)
    assert "HTTP_X_ROLE" not in forged_only


async def test_a_sessions_request_is_the_visitors_as_the_page_had_it(stand: Stand) -> None:
    page = await stand.page(VISITOR)
    session = await stand.session("s1")
    assert {name: session.get(name) for name in SAME} == {name: page.get(name) for name in SAME}
    assert session["HTTP_USER_AGENT"] == VISITOR["User-Agent"]
    assert (session["HTTP_HOST"], session["SERVER_NAME"], session["SERVER_PORT"]) == (
        VISITOR["Host"],
        "apps.example.com",
        "8443",
    )
    assert (session["REMOTE_ADDR"], session["rook.url_scheme"]) == ("192.0.2.7", "https")
    assert session["HTTP_ORIGIN"] == "https://apps.example.com:8443"
    assert session["HTTP_COOKIE"] == "set=by-page; theme=dark"
    assert session["PATH_INFO"] == "/websocket/"
    assert not {"HTTP_IF_NONE_MATCH", "HTTP_SEC_FETCH_DEST", "HTTP_ACCEPT"} & set(session)
    for said in (page, session):
        assert not [name for name in said if "SHEEN" in name]
        assert "sheen" not in said["headers"]


async def test_no_header_of_a_visitor_keeps_the_session_from_r(stand: Stand) -> None:
    async with stand.workers.seated("s2"):
        pass
    for name in ("Cookie", "Accept-Language", "Host", "X-Forwarded-Host"):
        for value in ("\udcff\udc80", "ä€", "a@b:c/d e", "x" * 3000):
            stand.pages.requests.made(
                "s2", CIMultiDict({**VISITOR, name: value}), ["", ";", "=", "ü=ö€", "\udcff"]
            )
            assert (await stand.session("s2"))["PATH_INFO"] == "/websocket/"
