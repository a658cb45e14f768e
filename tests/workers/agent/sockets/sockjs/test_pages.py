"""Greeting, iframe page and capabilities."""

from __future__ import annotations

import json
import re

import pytest

from tests.workers.agent.sockets.sockjs import expectations as expect
from tests.workers.agent.sockets.sockjs.wire import Server

IFRAME = re.compile(
    r"""<!DOCTYPE html>
<html>
<head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
  <script src="(?P<url>[^"]*)"></script>
  <script>
    document.domain = document.domain;
    SockJS.bootstrap_iframe\(\);
  </script>
</head>
<body>
  <h2>Don't panic!</h2>
  <p>This is a SockJS hidden iframe. It's used for cross domain magic.</p>
</body>
</html>\Z"""
)


@pytest.mark.parametrize("path", ["/echo", "/echo/"])
async def test_the_prefix_greets(server: Server, path: str) -> None:
    answer, body = await server.get(path)
    assert (answer.status, body) == (200, "Welcome to SockJS!\n")
    expect.content_type(answer, expect.PLAIN)
    expect.no_cookie(answer)


@pytest.mark.parametrize(
    "path",
    [
        "/a",
        "/a.html",
        "//",
        "///",
        "/a/a",
        "/a/a/",
        "/a/",
        "/xhr",
        "/a/a/nothing",
        "/a/a/xhr/",
        "/info/",
    ],
)
async def test_other_urls_are_not_found(server: Server, path: str) -> None:
    assert (await server.get("/echo" + path))[0].status == 404


async def test_methods_that_a_page_does_not_know_are_refused(server: Server) -> None:
    for path in ("/echo", "/echo/info", "/echo/iframe.html"):
        expect.not_allowed(*await server.post(path))
    answer = await server.ask("HEAD", "/echo/info")
    assert answer.status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/iframe.html",
        "/iframe-a.html",
        "/iframe-.html",
        "/iframe-0.1.2.html",
        "/iframe-0.1.2abc-dirty.2144.html",
        "/iframe-a.html?t=1234",
        "/iframe-0.1.2abc-dirty.2144.html?t=qweqweq123",
    ],
)
async def test_every_version_of_the_iframe_page_is_the_same_and_kept(
    server: Server, path: str
) -> None:
    answer, body = await server.get("/echo" + path)
    assert answer.status == 200
    expect.content_type(answer, expect.HTML)
    expect.cached(answer)
    expect.no_cookie(answer)
    assert answer["ETag"] == (await server.get("/echo/iframe.html"))[0]["ETag"]
    match = IFRAME.match(body.strip())
    assert match and match["url"] == "/lib/sockjs.js"


async def test_the_iframe_page_loads_the_library_from_below_the_app(server: Server) -> None:
    _, body = await server.get("/echo/iframe.html", {"sheen-base": "/team/sales"})
    assert '<script src="/team/sales/lib/sockjs.js">' in body


@pytest.mark.parametrize(
    "path",
    [
        "/iframe.htm",
        "/iframe",
        "/IFRAME.HTML",
        "/IFRAME",
        "/iframe.HTML",
        "/iframe.xml",
        "/iframe-/.html",
    ],
)
async def test_what_only_looks_like_an_iframe_page_is_not_found(server: Server, path: str) -> None:
    assert (await server.get("/echo" + path))[0].status == 404


async def test_a_browser_that_has_the_iframe_page_does_not_get_it_again(server: Server) -> None:
    first, _ = await server.get("/echo/iframe.html")
    assert first["ETag"]
    for known in (first["ETag"], f'"other", W/{first["ETag"]}'):
        answer, body = await server.get("/echo/iframe.html", {"If-None-Match": known})
        assert (answer.status, answer["Content-Type"], body) == (304, "", "")
    assert (await server.get("/echo/iframe.html", {"If-None-Match": '"other"'}))[0].status == 200


async def test_info_says_what_the_service_can(server: Server) -> None:
    answer, body = await server.get("/echo/info")
    assert answer.status == 200
    expect.content_type(answer, "application/json;charset=UTF-8")
    expect.no_cookie(answer)
    expect.not_cached(answer)
    expect.cors(answer)
    info = json.loads(body)
    assert (
        info["websocket"] is True and info["cookie_needed"] is False and info["origins"] == ["*:*"]
    )
    assert type(info["entropy"]) is int and 0 <= info["entropy"] < 2**32


async def test_info_gives_other_entropy_each_time(server: Server) -> None:
    assert len({json.loads((await server.get("/echo/info"))[1])["entropy"] for _ in range(4)}) > 1


async def test_info_answers_options_also_for_pages_from_files(server: Server) -> None:
    await expect.options(server, "/echo/info", "OPTIONS, GET")


async def test_info_says_that_websockets_are_off(server: Server) -> None:
    assert json.loads((await server.get("/disabled_websocket_echo/info"))[1])["websocket"] is False
    assert (
        json.loads((await server.get("/echo/info", {"sheen-buffered": "1"}))[1])["websocket"]
        is False
    )


async def test_info_says_that_cookies_are_needed(server: Server) -> None:
    answer, body = await server.get("/cookie_needed_echo/info")
    assert json.loads(body)["cookie_needed"] is True
    expect.no_cookie(answer)
