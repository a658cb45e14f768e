"""One session of the echo app, on each kind of wire, counting what goes over it."""

import asyncio
import json
import secrets
import string
from contextlib import suppress
from dataclasses import dataclass, fields
from types import TracebackType
from typing import Protocol, Self

import aiohttp

from tests.support.conversation import Conversation, Wire, init, update
from tests.support.visitor import page


@dataclass
class Traffic:
    """What a session's wire carried: WebSocket messages, or HTTP bodies; bytes without headers."""

    frames_sent: int = 0
    bytes_sent: int = 0
    frames_received: int = 0
    bytes_received: int = 0

    def since(self, before: "Traffic") -> "Traffic":
        return Traffic(
            *(getattr(self, each.name) - getattr(before, each.name) for each in fields(self))
        )

    def __add__(self, other: "Traffic") -> "Traffic":
        return Traffic(
            *(getattr(self, each.name) + getattr(other, each.name) for each in fields(self))
        )


class CountedWire:
    """A wire with its traffic."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.traffic = Traffic()

    async def send(self, frame: str) -> None:
        self.traffic.frames_sent += 1
        self.traffic.bytes_sent += len(frame.encode())
        await self._wire.send(frame)

    async def receive(self) -> str:
        frame = await self._wire.receive()
        self.traffic.frames_received += 1
        self.traffic.bytes_received += len(frame.encode())
        return frame


class Echo(Protocol):
    """One session of the echo app."""

    @property
    def traffic(self) -> Traffic:
        """Its traffic so far."""
        ...

    async def say(self, text: str) -> str:
        """A round trip: send ``text`` and wait for its echo."""
        ...


class FramedEcho:
    """A session in SockJS, robust and multiplex framing (FACTS S6)."""

    def __init__(self, wire: Wire) -> None:
        self._wire = CountedWire(wire)
        self._conversation = Conversation(self._wire)

    @classmethod
    def of(cls, conversation: Conversation) -> Self:
        """A session that has begun already."""
        echo = cls(conversation.wire)
        echo._conversation = conversation
        conversation.wire = echo._wire
        return echo

    @property
    def traffic(self) -> Traffic:
        return self._wire.traffic

    async def begin(self) -> Self:
        await self._conversation.begin()
        return self

    async def say(self, text: str) -> str:
        return await self._conversation.say(text)


class PlainEcho:
    """A session on R's own WebSocket: Shiny's messages with nothing around."""

    def __init__(self, wire: Wire) -> None:
        self._wire = CountedWire(wire)

    @property
    def traffic(self) -> Traffic:
        return self._wire.traffic

    async def begin(self) -> Self:
        await self._wire.send(init(said=""))
        await self._until("heard: ")
        return self

    async def say(self, text: str) -> str:
        await self._wire.send(update(said=text))
        return await self._until(f"heard: {text}")

    async def _until(self, value: str) -> str:
        while True:
            told = json.loads(await self._wire.receive())
            if (told.get("values") or {}).get("heard") == value:
                return value


def sockjs_url(app: str) -> str:
    """A new SockJS session's URL without the transport, as Shiny Server's clients make it (FACTS
    S7).
    """
    robust = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(18))
    return f"{app}__sockjs__/n={robust}/{secrets.randbelow(1000):03}/{secrets.token_hex(4)}"


class XhrPolling:
    """SockJS over ``xhr`` and ``xhr_send``, after a visit to the page, whose cookies it keeps. A
    poll is always open, as in a browser.
    """

    def __init__(self, app: str) -> None:
        """``app``: the app's URL, with a slash at its end."""
        self._app = app
        self._url = sockjs_url(app)
        self._frames: asyncio.Queue[str | Exception] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True)
        )  # also of an address without a name
        try:
            await page(self._app, self._http)
        except BaseException:
            await self._http.close()
            raise
        self._polling = asyncio.create_task(self._poll())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._polling.cancel()
        with suppress(asyncio.CancelledError):
            await self._polling
        await self._http.close()

    async def send(self, frame: str) -> None:
        async with self._http.post(
            f"{self._url}/xhr_send", data=frame, headers={"content-type": "text/plain"}
        ) as answer:
            if answer.status != 204:
                raise ConnectionError(f"xhr_send: {answer.status} {(await answer.text())[:200]}")

    async def receive(self) -> str:
        frame = await self._frames.get()
        if isinstance(frame, Exception):
            raise frame
        return frame

    async def _poll(self) -> None:
        try:
            while True:
                async with self._http.post(f"{self._url}/xhr") as answer:
                    text = await answer.text()
                    if answer.status != 200:
                        raise ConnectionError(f"xhr: {answer.status} {text[:200]}")
                if text.startswith(
                    "c[2010,"
                ):  # the server has not noticed yet that the poll before this one has ended
                    await asyncio.sleep(0.01)
                    continue
                for frame in text.splitlines():
                    self._frames.put_nowait(frame)
                    if frame[:1] == "c":
                        return
        except (aiohttp.ClientError, ConnectionError) as error:
            self._frames.put_nowait(error)
