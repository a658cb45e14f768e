"""One channel of a session: a WebSocket to R, read only while the browser keeps up."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, WebSocketException

from relay.errors import AppExited
from relay.events import MessageReceived

log = logging.getLogger(__name__)

_CLOSE = 10.0


class Owner(Protocol):
    """Receives what happens on a channel, on the session's side."""

    def from_r(self, channel: str, message: str) -> None:
        """Handle a message from R."""

    def r_took(self, size: int) -> None:
        """Note that R has taken messages of this size."""

    def r_closed(self, channel: str, code: int, reason: str) -> None:
        """Note that R's socket is gone; a code of at least 4000 also ends the session."""

    async def room(self) -> None:
        """Wait until the browser's side has room."""


class Channel:
    """Carries messages from the opening of a channel until R or the session closes it."""

    def __init__(
        self,
        name: str,
        session_id: str,
        connect: Callable[[str], Awaitable[ClientConnection]],
        owner: Owner,
    ) -> None:
        self.name = name
        self._session_id = session_id
        self._connect = connect
        self._owner = owner
        self._queue: deque[MessageReceived] = deque()
        self._wanted = asyncio.Event()
        self._closing: tuple[int, str] | None = None
        self.task = asyncio.get_running_loop().create_task(self._run())

    def send(self, message: MessageReceived) -> None:
        """Queue a message for R; the session limits how much may be queued."""
        self._queue.append(message)
        self._wanted.set()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close R's socket after the queued messages, without telling the owner."""
        self._closing = (
            code if 1000 <= code < 1016 and code not in (1004, 1005, 1006, 1015) else 1000,
            reason,
        )
        self._wanted.set()
        # An R that no longer reads cannot hold a session that is over.
        timer = asyncio.get_running_loop().call_later(_CLOSE, self.task.cancel)
        self.task.add_done_callback(lambda _: timer.cancel())

    async def _run(self) -> None:
        try:
            socket = await self._connect(self._session_id)
        except (OSError, WebSocketException, TimeoutError) as error:
            log.warning("session %s: R's socket does not open: %r", self._session_id, error)
            self._closed(*AppExited().ending)
            return
        writer = asyncio.get_running_loop().create_task(self._write(socket))
        try:
            await self._read(socket)
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            await socket.close()
        self._closed(*_ending(socket))

    async def _read(self, socket: ClientConnection) -> None:
        try:
            while True:
                await self._owner.room()
                message = await socket.recv(decode=None)
                if self._closing is None:
                    text = (
                        message if isinstance(message, str) else message.decode("utf-8", "replace")
                    )
                    self._owner.from_r(self.name, text)
        except ConnectionClosed:
            return

    async def _write(self, socket: ClientConnection) -> None:
        try:
            while True:
                while self._queue:
                    message = self._queue.popleft()
                    await socket.send(message.text)
                    self._owner.r_took(message.size)
                if self._closing is not None:
                    await socket.close(self._closing[0], self._closing[1][:100])
                    return
                self._wanted.clear()
                await self._wanted.wait()
        except ConnectionClosed:
            return

    def _closed(self, code: int, reason: str) -> None:
        if self._closing is None:
            self._closing = (code, reason)
            self._owner.r_closed(self.name, code, reason)


def _ending(socket: ClientConnection) -> tuple[int, str]:
    # Without a closing handshake, the process died. With one, R wanted to close, whatever the code.
    code = socket.close_code
    if code is None or code == 1006:
        return AppExited().ending
    return (1000 if code < 3000 else min(code, 3999)), socket.close_reason or ""
