"""A WSGI server for one known client, the front, over a unix socket.

It uses a thread per connection, and connections stay open. Werkzeug's own server closes each
connection after its request, which costs more than moto's answer.
"""

import gc
import io
import json
import socket
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from email.message import Message
from http.client import parse_headers
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import unquote_to_bytes

from moto.core.request import (
    PRESERVED_HEADER_NAMES_ENVIRON_KEY,
    environ_key_for_header,
    should_preserve_original_header_name,
)

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
BUFFER_BYTES = 1 << 16
LARGE_BYTES = 1 << 20


class Stream:
    """A response body that is sent as it comes; its headers declare its length."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        return self._parts


def serve(path: Path, application: Application, ready: Callable[[], None]) -> None:
    """Listen on ``path``, call ``ready``, and serve forever."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(128)
        ready()
        while True:
            connection, _ = listener.accept()
            threading.Thread(
                target=_serve_connection, args=(connection, application), daemon=True
            ).start()


def _serve_connection(connection: socket.socket, application: Application) -> None:
    with connection, connection.makefile("rb", BUFFER_BYTES) as stream:
        reader = cast(IO[bytes], stream)
        try:
            while line := reader.readline(BUFFER_BYTES):
                if _serve_request(connection, reader, line, application) > LARGE_BYTES:
                    # werkzeug's requests refer to themselves, which keeps their bodies in memory.
                    gc.collect()
        except OSError:
            return  # the front is gone


def _serve_request(
    connection: socket.socket, reader: IO[bytes], line: bytes, application: Application
) -> int:
    """Answer one request; return the size of its body."""
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers = parse_headers(reader)
    length = int(headers.get("Content-Length", 0))
    body = io.BytesIO(reader.read(length) if length else b"")
    answered: list[tuple[str, list[tuple[str, str]]]] = []
    stream: Iterable[bytes] = ()

    def start_response(
        status: str, response_headers: list[tuple[str, str]], _error: Any = None
    ) -> None:
        answered.append((status, response_headers))

    try:
        parts = application(_environ(method, target, headers, length, body), start_response)
        if isinstance(parts, Stream):
            stream, payload = parts, b""
        else:
            payload = b"".join(parts)
            if hasattr(parts, "close"):
                parts.close()
        status, response_headers = answered[-1]
    except Exception as error:
        traceback.print_exc()
        payload = json.dumps(
            {"__type": "InternalFailure", "message": f"moto: {type(error).__name__}: {error}"}
        ).encode()
        status, response_headers = (
            "500 Internal Server Error",
            [("Content-Type", "application/json")],
        )
    lines = [f"HTTP/1.1 {status}\r\n"]
    lines += [
        f"{name}: {value}\r\n" for name, value in response_headers if name.lower() != "connection"
    ]
    has_body = method != "HEAD" and not status.startswith(("204", "304"))
    if has_body and not any(name.lower() == "content-length" for name, _ in response_headers):
        lines.append(f"Content-Length: {len(payload)}\r\n")
    lines.append("\r\n")
    head = "".join(lines)
    try:
        encoded = head.encode("latin-1")
    except UnicodeEncodeError:
        encoded = head.encode()
    connection.sendall(encoded + (payload if has_body else b""))
    for part in stream:
        connection.sendall(part)
    return length


def _environ(
    method: str, target: str, headers: Message, length: int, body: IO[bytes]
) -> dict[str, Any]:
    path, _, query = target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "RAW_URI": target,
        "REQUEST_URI": target,
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(length),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": body,
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    preserved: dict[str, str] = {}
    for name, value in headers.items():
        # S3 metadata can have underscores in their names.
        if should_preserve_original_header_name(name):
            key = environ_key_for_header(name)
            preserved.setdefault(key, name)
        else:
            key = name.upper().replace("-", "_")
            key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        environ[key] = (
            f"{environ[key]},{value}" if key in environ and key != "CONTENT_LENGTH" else value
        )
    environ[PRESERVED_HEADER_NAMES_ENVIRON_KEY] = preserved
    return environ
