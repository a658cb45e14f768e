"""A stand-in for an agent: an HTTP/1.1 server that keeps connections alive and answers as it is
told.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest

from infra.emulator.ecs.vanish import silence


class Got(NamedTuple):
    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


class Say(NamedTuple):
    status: int = 200
    headers: list[tuple[str, str]] = []  # noqa: RUF012
    body: bytes = b"ok"
    then_close: bool = False
    """Close the connection without saying so, as a server that gave up waiting does."""
    break_off: bool = False


class StandinAgent(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: str) -> None:
        self.got: list[Got] = []
        self.answer: Callable[[Got], Say] = lambda got: Say()
        self.connections: list[socket.socket] = []
        super().__init__((address, 0), _Handler)

    @property
    def address(self) -> str:
        host, port = self.server_address[:2]
        return f"{host!s}:{port}"

    def vanish(self) -> None:
        """From now on the machine is not there: no packet is answered."""
        for connection in [self.socket, *self.connections]:
            silence(connection)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StandinAgent

    def setup(self) -> None:
        super().setup()
        self.server.connections.append(self.connection)

    def _do(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        got = Got(self.command, self.path, list(self.headers.items()), body, id(self.connection))
        self.server.got.append(got)
        say = self.server.answer(got)
        if say.break_off:
            self.close_connection = True
            self.connection.shutdown(2)
            return
        self.send_response(say.status)
        for name, value in say.headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(say.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(say.body)
        if say.then_close:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _do  # noqa: N815

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def closing_kept_connections() -> Iterator[None]:
    """Close what clients keep open at the end, as the end of a Lambda's machine does."""
    opened: list[HTTPConnection] = []
    connect = HTTPConnection.connect

    def noted(connection: HTTPConnection) -> None:
        opened.append(connection)
        connect(connection)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HTTPConnection, "connect", noted)
        yield
    for connection in opened:
        connection.close()


@contextmanager
def standin_agent(address: str = "127.0.0.1") -> Iterator[StandinAgent]:
    server = StandinAgent(address)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        with closing_kept_connections():
            yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
