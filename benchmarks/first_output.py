"""One visit of an app, from the first request to the first output, as a browser makes it; assets
are left out.
"""

import asyncio
import json
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urljoin

import aiohttp
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.sessions import sockjs_url
from relay import hello
from tests.support import shiny_page
from tests.support.conversation import Conversation
from tests.support.visitor import WebSocketWire

HTML = {"accept": "text/html"}
FIRST_POLL, GROWTH, LONGEST_POLL = 0.2, 1.3, 2.0
"""How the waiting page asks how far the start is (pages/templates/waiting.js)."""

Visit = Callable[[str, str], Awaitable[float]]
"""Visits an app until it has shown an output: (URL, the output's id) → seconds."""


async def of_sheen(url: str, output: str) -> float:
    """By the waiting page, if there is one, and a WebSocket."""
    began = time.perf_counter()
    async with aiohttp.ClientSession() as http:
        html = await _page(http, url)
    found = re.search(
        r'<script type="application/json" id="sheen-config">(.*?)</script>', html, re.DOTALL
    )
    assert found, f"{url} is not served by R: {html[:300]}"
    config = json.loads(found[1])
    base = config["websocketUrl"]
    address = (
        base
        if base.startswith("ws")
        else re.sub(r"^http(s?)://([^/]+).*", rf"ws\1://\2{base}", url)
    )
    protocols = ["sheen", f"ticket.{config['ticket']}"]
    async with connect(address, subprotocols=protocols, compression=None, max_size=None) as socket:  # type: ignore[arg-type]
        await socket.send(hello.hello(hello.Opening(secrets.token_hex(9), sheen=True, attempt=1)))
        await _first(socket, html, output)
        return time.perf_counter() - began


async def of_shiny_server(url: str, output: str) -> float:
    """Its page comes when R is there.

    When many start at once, it may ask another app's R, which refuses (403): then the page is
    loaded again, as a visitor would.
    """
    began = time.perf_counter()
    status, html = 403, ""
    async with aiohttp.ClientSession() as http:
        while status == 403:
            async with http.get(url, headers=HTML) as answer:
                status, html = answer.status, await answer.text()
    assert status == 200, f"{url} answers {status}: {html[:300]}"
    address = sockjs_url(url).replace("http", "ws", 1)
    async with connect(f"{address}/websocket", compression=None, max_size=None) as socket:
        await _first(socket, html, output)
        return time.perf_counter() - began


async def _page(http: aiohttp.ClientSession, url: str) -> str:
    """The app's page, waited for as the waiting page does."""
    while True:
        async with http.get(url, headers=HTML) as answer:
            html = await answer.text()
            assert answer.status in (200, 202), f"{url} answers {answer.status}: {html[:300]}"
        found = re.search(r'data-status-url="([^"]+)"', html)
        if found is None:
            return html
        await _started(http, urljoin(url, found[1].replace("&amp;", "&")))


async def _started(http: aiohttp.ClientSession, status_url: str) -> None:
    delay, phase = FIRST_POLL, ""
    while True:
        await asyncio.sleep(delay)
        delay = min(LONGEST_POLL, delay * GROWTH)
        async with http.get(status_url) as answer:
            if answer.status != 200:
                return
            told = await answer.json()
        assert not told["failure"], told["failure"]
        if told["state"] != "STARTING":
            return
        if told["phase"] != phase:
            phase, delay = told["phase"], FIRST_POLL


async def _first(socket: ClientConnection, html: str, output: str) -> None:
    conversation = Conversation(WebSocketWire(socket))
    assert (greeting := await conversation.wire.receive()) == "o", f"no greeting but {greeting}"
    await conversation.tell("0|o|")
    await conversation.tell("0|m|" + shiny_page.init(html))
    await conversation.until(output, bool)
