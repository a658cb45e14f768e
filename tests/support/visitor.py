"""A visitor without a browser: loads the page, opens the socket with its ticket, and talks to an
echo app as Shiny's own client would.
"""

import json
import re
import secrets
from types import TracebackType
from typing import Any, Self

import aiohttp
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from relay import hello
from tests.support.conversation import Conversation


class WebSocketWire:
    """SockJS frames as a WebSocket's text messages."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, frame: str) -> None:
        await self.socket.send(frame)

    async def receive(self) -> str:
        return await self.socket.recv(decode=True)


async def page(url: str, http: aiohttp.ClientSession | None = None) -> str:
    """Return an app's page as a browser gets it, which is the one that ``http`` stands for, or a
    new one.
    """
    if http is None:
        async with aiohttp.ClientSession() as http:
            return await page(url, http)
    async with http.get(url, headers={"accept": "text/html"}) as answer:
        text = await answer.text()
        assert answer.status == 200, f"{url} answers {answer.status}: {text[:300]}"
        return text


class Visitor:
    """One visitor of an echo app (:data:`tests.support.apps.ECHO`): ``async with Visitor(url) as
    visitor``.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.http: aiohttp.ClientSession
        """Asks as the page's browser does, with its cookies."""
        self.config: dict[str, Any] = {}
        self.socket: ClientConnection
        self.conversation: Conversation

    async def __aenter__(self) -> Self:
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        try:
            await self._enter()
        except BaseException:
            await self.http.close()
            raise
        return self

    async def _enter(self) -> None:
        text = await page(self.url, self.http)
        found = re.search(
            r'<script type="application/json" id="sheen-config">(.*?)</script>', text, re.DOTALL
        )
        assert found, f"{self.url} is not served by R: {text[:300]}"
        self.config = json.loads(found[1])
        self.socket = await self._open(self.config["ticket"])
        try:
            await self.socket.send(
                hello.hello(hello.Opening(secrets.token_hex(9), sheen=True, attempt=1))
            )
            self.conversation = Conversation(
                WebSocketWire(self.socket), self.config["settings"]["ackBytes"]
            )
            await self.conversation.begin()
        except BaseException:
            await self.socket.close()
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.socket.close()
        await self.http.close()

    async def _open(self, ticket: str | None) -> ClientConnection:
        base = self.config["websocketUrl"]
        url = (
            base
            if base.startswith("ws")
            else re.sub(r"^http(s?)://([^/]+).*", rf"ws\1://\2{base}", self.url)
        )
        protocols: Any = ["sheen"] + ([f"ticket.{ticket}"] if ticket is not None else [])
        return await connect(url, subprotocols=protocols, compression=None, max_size=None)

    async def try_ticket(self, ticket: str | None) -> int:
        """Return the status that a socket with this ticket gets."""
        try:
            await (await self._open(ticket)).close()
        except InvalidStatus as refused:
            return refused.response.status_code
        return 101

    async def say(self, text: str) -> str:
        """Type ``text`` and wait for the app's answer; a round trip."""
        return await self.conversation.say(text)

    async def until(self, output: str, done: Any) -> Any:
        """Read until ``output`` has a value that satisfies ``done``, and return it."""
        return await self.conversation.until(output, done)
