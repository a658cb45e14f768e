"""A visitor's relay client in Python: it reconnects, moves on and gives up as
``client/src/link.ts`` does, on the same core.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

import aiohttp
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from relay import sockjs
from relay.settings import RelaySettings
from tests.support.relay_peer import Peer

HELLO_TIMEOUT = 20.0
SILENCE = 25.0
"""Seconds without a frame, in which two pings went out, after which a connection is as good as
gone.
"""
TICK = 0.1
STEPS = (0.2, 1.0, 2.0, 3.0, 4.0)
LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_CONFIG = re.compile(r'<script type="application/json" id="sheen-config">(.*?)</script>', re.DOTALL)


async def load_page(http: aiohttp.ClientSession, url: str, within: float = 60.0) -> dict[str, Any]:
    """The client's configuration from an app's page, loaded again as a person would when it fails
    or is the waiting page.
    """
    deadline = asyncio.get_running_loop().time() + within
    while True:
        async with http.get(url, headers={"accept": "text/html"}) as answer:
            text = await answer.text()
        if found := _CONFIG.search(text):
            config: dict[str, Any] = json.loads(found[1])
            return config
        assert asyncio.get_running_loop().time() < deadline, (
            f"{url} answers {answer.status}: {text[:300]}"
        )
        await asyncio.sleep(0.5)


async def open_socket(
    url: str, config: dict[str, Any], ticket: str | None = None, query: str = ""
) -> ClientConnection:
    """A connection for a page; nothing is said on it yet. ``ticket`` in place of the page's own."""
    base = config["websocketUrl"]
    target = (
        base
        if base.startswith("ws")
        else re.sub(r"^http(s?)://([^/]+).*", rf"ws\1://\2{base}", url)
    )
    protocols: Any = ["sheen", f"ticket.{ticket or config['ticket']}"]
    return await connect(
        target + query, subprotocols=protocols, compression=None, max_size=None, max_queue=None,
        ping_interval=None, close_timeout=1.0, open_timeout=30.0,
    )  # fmt: skip


class RelayClient:
    """One page's socket, whatever its connections do.

    :param on_message: called with each message of the app, in order.
    :param refresh: seconds after which it moves to a fresh connection, which the browser's client
    does before the 2-hour cut.
    """

    def __init__(
        self, url: str, random: Random, on_message: Callable[[str], None], refresh: float = 6600.0
    ) -> None:
        self.url = url
        self.connections = 0
        self.refreshes = 0
        self.refused = 0
        self.errors_told = 0
        self._random = random
        self._on_message = on_message
        self._refresh_after = refresh
        self.config: dict[str, Any] = {}
        self.peer: Peer
        self.ended = asyncio.Event()
        self._current: ClientConnection | None = None
        self._old: ClientConnection | None = None
        self._opened_at = self._heard_at = 0.0
        self._failures = 0
        self._cut_since: float | None = None
        self._wanted = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._handed = 0
        self._paused = False

    @property
    def closed(self) -> sockjs.CloseFrame | None:
        """Why the session has ended, once it has."""
        return self.peer.closed

    async def start(self, http: aiohttp.ClientSession) -> None:
        """Load the page and begin to connect."""
        self.config = await load_page(http, self.url)
        settings = RelaySettings(grace=self.config["settings"]["graceSeconds"])
        self.peer = Peer(
            "".join(self._random.choices(LETTERS, k=18)),
            settings,
            self.config["settings"]["frameLimit"],
        )
        self.peer.open("0")
        self._keep(self._connecting(0.0))
        self._keep(self._ticking())
        self._keep(self._transmitting())

    async def stop(self) -> None:
        """Leave without a word."""
        self.ended.set()
        for socket in (self._current, self._old):
            if socket is not None:
                socket.transport.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def send(self, message: str) -> None:
        """A message to the app."""
        self.peer.send("0", message)
        self._wanted.set()

    def cut(self) -> None:
        """Lose the connection."""
        if self._current is not None:
            self._current.transport.abort()

    def pause(self) -> None:
        """Read nothing more, for now; what the system's buffers take is taken."""
        assert self._current is not None
        self._paused = True
        self._current.transport.pause_reading()

    def read_on(self) -> None:
        """Read again."""
        self._paused = False
        self._heard_at = self._now()
        if self._current is not None:
            self._current.transport.resume_reading()

    # Inside

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _keep(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._end(sockjs.CloseFrame(0, f"the client failed: {error!r}"))

    def _end(self, why: sockjs.CloseFrame) -> None:
        if self.peer.closed is None:
            self.peer.closed = why
        self.ended.set()

    async def _open(self) -> ClientConnection:
        kind = "o" if self.peer.greeted_ever else "n"
        return await open_socket(
            self.url, self.config, self.peer.ticket, f"?{kind}={self.peer.robust_id}"
        )

    async def _connecting(self, delay: float) -> None:
        await asyncio.sleep(delay)
        if self.ended.is_set():
            return
        started = self._now()
        try:
            socket = await self._open()
        except (OSError, WebSocketException, TimeoutError):
            self.refused += 1
            self._lost(started)
            return
        await self._use(socket)

    async def _use(self, socket: ClientConnection) -> None:
        self._current = socket
        self.connections += 1
        self._opened_at = self._heard_at = self._now()
        opening = self.peer.connect(self._now())
        with contextlib.suppress(WebSocketException):
            await socket.send(opening)
        self._keep(self._reading(socket))

    async def _reading(self, socket: ClientConnection) -> None:
        with contextlib.suppress(WebSocketException):
            async for frame in socket:
                assert isinstance(frame, str)
                if not self._received(socket, frame):
                    break
        await self._close(socket)
        if socket is self._old:
            self._old = None
        elif socket is self._current:
            self._current = None
            self._lost(self._opened_at)

    def _received(self, socket: ClientConnection, frame: str) -> bool:
        if self.ended.is_set():
            return False
        self._heard_at = self._now()
        if frame.startswith("{"):
            # API Gateway: a frame did not reach the agent. Which one, the next connection finds
            # out.
            self.errors_told += 1
            return socket is not self._current
        was_greeted = self.peer.greeted
        self.peer.receive(frame, self._now())
        if self.peer.greeted and not was_greeted:
            self._failures = 0
            self._cut_since = None
            if self._old is not None:
                self._keep(self._close(self._old))
        received = self.peer.received.get("0", [])
        while self._handed < len(received):
            self._handed += 1
            self._on_message(received[self._handed - 1])
        if self.peer.closed is not None:
            self.ended.set()
            return False
        self._wanted.set()
        return True

    async def _close(self, socket: ClientConnection) -> None:
        with contextlib.suppress(WebSocketException, OSError):
            await socket.close()

    def _lost(self, tried_at: float) -> None:
        if self.ended.is_set():
            return
        if self._cut_since is None:
            self._cut_since = self._now()
        if tried_at > self._cut_since + self.peer.settings.grace + 10.0:
            self._end(
                sockjs.CloseFrame(
                    4705, "The connection was lost for too long, so your session has ended."
                )
            )
            return
        step = STEPS[min(self._failures, len(STEPS) - 1)]
        self._failures += 1
        self._keep(self._connecting(step * (0.5 + self._random.random())))

    async def _transmitting(self) -> None:
        while not self.ended.is_set():
            await self._wanted.wait()
            self._wanted.clear()
            while (socket := self._current) is not None and self.peer.greeted:
                frame = self.peer.take(self._now())
                if frame is None:
                    break
                with contextlib.suppress(WebSocketException):
                    await socket.send(frame)

    async def _ticking(self) -> None:
        while not self.ended.is_set():
            await asyncio.sleep(TICK)
            now = self._now()
            self.peer.tick(now)
            self._wanted.set()
            socket = self._current
            if socket is None:
                continue
            if not self._paused and now - self._heard_at > (
                SILENCE if self.peer.greeted else HELLO_TIMEOUT
            ):
                socket.transport.abort()
            elif (
                self.peer.greeted
                and self._old is None
                and now - self._opened_at > self._refresh_after
            ):
                self._opened_at = now
                self._keep(self._refresh(socket))

    async def _refresh(self, old: ClientConnection) -> None:
        """Move to a fresh connection; the old one serves until the new one does."""
        try:
            fresh = await self._open()
        except (OSError, WebSocketException, TimeoutError):
            self.refused += 1
            return
        if self.ended.is_set() or self._current is not old:
            await self._close(fresh)
            return
        self._old = old
        self.refreshes += 1
        await self._use(fresh)
