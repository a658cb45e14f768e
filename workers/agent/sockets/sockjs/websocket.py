"""WebSockets on the agent's own port: raw, or framed in SockJS's way."""

from __future__ import annotations

import asyncio

from aiohttp import WSMsgType, web

from agent.sockets.sockjs.application import Application, ClientRequest, ClientSide, enter
from relay import sockjs
from relay.transports import sending
from relay.transports.options import SockJsOptions
from relay.transports.sending import BadPayload, Payload


class BadUpgrade(Exception):
    """The request does not ask for a WebSocket; the text is the answer."""


def check(request: web.Request) -> None:
    """Check that a request asks for a WebSocket.

    :raises BadUpgrade: it does not.
    """
    if request.headers.get("Upgrade", "").strip().lower() != "websocket":
        raise BadUpgrade('Can "Upgrade" only to "WebSocket".')
    tokens = {
        token.strip().lower()
        for value in request.headers.getall("Connection", [])
        for token in value.split(",")
    }
    if "upgrade" not in tokens:
        raise BadUpgrade('"Connection" must be "Upgrade".')


class Socket:
    """One client's WebSocket, from its opening to its end."""

    def __init__(self, application: Application, options: SockJsOptions, *, raw: bool) -> None:
        self._application = application
        self._options = options
        self._raw = raw
        self._wanted = asyncio.Event()
        self._socket = web.WebSocketResponse(
            max_msg_size=options.largest_message, compress=False, timeout=2.0
        )

    async def run(self, request: web.Request, visit: ClientRequest) -> web.WebSocketResponse:
        """Serve the WebSocket until it ends."""
        await self._socket.prepare(request)
        carried = enter(self._application, visit, self._wanted.set)
        reader = asyncio.get_running_loop().create_task(self._read(carried))
        reader.add_done_callback(lambda _: self._wanted.set())
        try:
            await self._write(carried, reader)
        except (ConnectionError, TimeoutError):
            if request.transport is not None:
                request.transport.abort()
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            carried.lost()
        return self._socket

    async def _write(self, carried: ClientSide, reader: asyncio.Task[tuple[int, str]]) -> None:
        if not self._raw:
            await self._say(sockjs.OPEN)
        while not reader.done():
            self._wanted.clear()
            frame = carried.take()
            if frame is None:
                await self._rest(reader)
            elif frame.startswith("c"):
                await self._part(frame)
                return
            elif not self._raw:
                await self._say(frame)
            elif frame.startswith("a"):
                for message in sockjs.decode_client(frame[1:]):
                    await self._say(message)
        code, reason = reader.result()
        await self._socket.close(code=code, message=reason.encode())

    async def _rest(self, reader: asyncio.Task[tuple[int, str]]) -> None:
        try:
            await asyncio.wait_for(self._wanted.wait(), self._options.heartbeat_delay)
        except TimeoutError:
            if not self._raw and not reader.done():
                await self._say(sockjs.HEARTBEAT)

    async def _part(self, frame: str) -> None:
        code, reason = 1000, ""
        if not self._raw:
            await self._say(frame)
        elif (
            isinstance(close := sockjs.decode_server(frame), sockjs.CloseFrame)
            and 3000 <= close.code < 5000
        ):
            # The reason in a close frame has at most 123 bytes.
            code, reason = close.code, close.reason.encode()[:123].decode(errors="ignore")
        async with asyncio.timeout(self._options.write_timeout):
            await self._socket.close(code=code, message=reason.encode())

    async def _say(self, text: str) -> None:
        async with asyncio.timeout(self._options.write_timeout):
            await self._socket.send_str(text)

    async def _read(self, carried: ClientSide) -> tuple[int, str]:
        """Read until the client leaves or breaks the protocol; return how to close then."""
        async for message in self._socket:
            if message.type is not WSMsgType.TEXT:
                return 1003, "Text only."
            try:
                payload = _raw(message.data) if self._raw else sending.websocket(message.data)
            except BadPayload:
                return 1002, "Broken framing."
            if payload is not None:
                await carried.receive(payload)
        return self._socket.close_code or 1000, ""


def _raw(text: str) -> Payload:
    return Payload(sockjs.encode_client([text]), [text])
