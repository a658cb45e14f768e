"""The Lambda Runtime API on loopback, where environments fetch events and leave answers.

The paths are ``/<secret>/2018-06-01/runtime/invocation/next``, ``…/invocation/<id>/response`` and
``…/error``, and ``…/init/error``. Each environment has an unguessable prefix of its own. The server
is a bare protocol, because every frame of every visitor passes through it twice.
"""

import asyncio
from typing import Protocol, cast

VERSION = b"2018-06-01"
LONGEST_HEADER = 65536


class RuntimeClient(Protocol):
    """One environment, as the Runtime API sees it."""

    def asked_for_next(self, reply: "Reply") -> None:
        """Handle the environment's request for its next invocation; answer ``reply`` with it."""

    def answered(self, request_id: str, payload: bytes, *, is_error: bool) -> None:
        """Handle the end of an invocation."""

    def init_failed(self, payload: bytes) -> None:
        """Handle an environment that could not load its function."""


class Reply:
    """The answer to a request for the next invocation."""

    __slots__ = ("_transport",)

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self._transport = transport

    def send(
        self, request_id: str, event: bytes, *, deadline_ms: int, arn: str, trace_id: str
    ) -> None:
        """Send the invocation."""
        head = (
            "HTTP/1.1 200 OK\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(event)}\r\n"
            f"Lambda-Runtime-Aws-Request-Id: {request_id}\r\n"
            f"Lambda-Runtime-Deadline-Ms: {deadline_ms}\r\n"
            f"Lambda-Runtime-Invoked-Function-Arn: {arn}\r\n"
            f"Lambda-Runtime-Trace-Id: {trace_id}\r\n"
            "\r\n"
        )
        self._transport.write(head.encode() + event)


class RuntimeApi:
    """The server, and the environments that may use it."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._clients: dict[bytes, RuntimeClient] = {}
        self.port = 0

    async def start(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self._clients), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening, after the environments have ended."""
        if self._server is not None:
            self._server.close()

    def admit(self, secret: str, client: RuntimeClient) -> str:
        """Admit an environment; return its ``AWS_LAMBDA_RUNTIME_API``."""
        self._clients[secret.encode()] = client
        return f"127.0.0.1:{self.port}/{secret}"

    def dismiss(self, secret: str) -> None:
        """Dismiss an environment that has ended."""
        self._clients.pop(secret.encode(), None)


class _Connection(asyncio.Protocol):
    """A kept-alive connection of an environment.

    Its client sends one request at a time, always with a length.
    """

    def __init__(self, clients: dict[bytes, RuntimeClient]) -> None:
        self._clients = clients
        self._transport: asyncio.WriteTransport | None = None
        self._buffer = bytearray()
        self._needed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transport is one, but does not inherit from it.
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= max(self._needed, 1):
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > LONGEST_HEADER:
                    self._refuse(b"431 Request Header Fields Too Large")
                return
            head = bytes(self._buffer[:end])
            length = _content_length(head)
            self._needed = end + 4 + length
            if len(self._buffer) < self._needed:
                return
            body = bytes(self._buffer[end + 4 : self._needed])
            del self._buffer[: self._needed]
            self._needed = 0
            self._request(head, body)

    def _request(self, head: bytes, body: bytes) -> None:
        assert self._transport is not None
        method, target, _ = head.split(b"\r\n", 1)[0].split(b" ", 2)
        parts = target.split(b"/")
        client = self._clients.get(parts[1]) if len(parts) >= 6 and parts[2] == VERSION else None
        if client is None:
            self._refuse(b"403 Forbidden")
            return
        match (method, *parts[4:]):
            case (b"GET", b"invocation", b"next"):
                client.asked_for_next(Reply(self._transport))
            case (b"POST", b"invocation", request_id, (b"response" | b"error") as what):
                self._accept()
                client.answered(request_id.decode(), body, is_error=what == b"error")
            case (b"POST", b"init", b"error"):
                self._accept()
                client.init_failed(body)
            case _:
                self._refuse(b"404 Not Found")

    def _accept(self) -> None:
        assert self._transport is not None
        self._transport.write(
            b'HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n{"status": "OK"}'
        )

    def _refuse(self, status: bytes) -> None:
        assert self._transport is not None
        self._transport.write(
            b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        self._transport.close()


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        if line[:15].lower() == b"content-length:":
            return int(line[15:])
    return 0
