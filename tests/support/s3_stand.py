"""S3 out of memory, by a server that costs next to nothing: listings and objects, whose signatures
are not verified.

``python -m tests.support.s3_stand SMALL LARGE LARGE_BYTES`` serves ``SMALL`` objects of 2 KB below
``small/`` and ``LARGE`` below ``large/``, each answer :data:`LATENCY` late, and says its port: for
benchmarks of clients, over whose requests moto would take longer than they do. Tests run
:class:`Stand` in a thread, without latency, and change what is in it.
"""

import asyncio
import hashlib
import sys
import threading
import time
from datetime import UTC, datetime
from email.utils import formatdate
from typing import NamedTuple, cast
from urllib.parse import parse_qs, quote_plus, unquote, urlsplit

LATENCY = 0.02
"""Seconds; S3's is 10 to 30 ms for small objects within a region."""
PAGE = 1000
SMALL_BYTES = 2000
NOON = 1795176000
"""2026-11-20T12:00:00Z."""


class Stored(NamedTuple):
    """One object's version."""

    body: bytes
    etag: str
    modified: int


class Store:
    """The objects, by key."""

    def __init__(self) -> None:
        self.objects: dict[str, Stored] = {}
        self.broken = 0
        """How many of the next answers with an object break off in the middle."""
        self.busy: set[str] = set()
        """Keys of objects that are asked for too often."""

    def put(self, key: str, body: bytes, modified: int | None = None, etag: str = "") -> None:
        """Write an object."""
        digest = etag or hashlib.md5(body, usedforsecurity=False).hexdigest()
        self.objects[key] = Stored(body, digest, int(time.time()) if modified is None else modified)

    def page(self, prefix: str, token: str) -> bytes:
        """Return a page of a listing."""
        found = sorted(key for key in list(self.objects) if key.startswith(prefix) and key > token)
        more = len(found) > PAGE
        entries = ""
        for key in found[:PAGE]:
            stored = self.objects.get(key)
            if stored is not None:
                when = datetime.fromtimestamp(stored.modified, UTC).strftime(
                    "%Y-%m-%dT%H:%M:%S.000Z"
                )
                entries += (
                    f"<Contents><Key>{quote_plus(key, safe='/')}</Key><LastModified>{when}</LastModified>"  # noqa: E501
                    f"<ETag>&quot;{stored.etag}&quot;</ETag><Size>{len(stored.body)}</Size></Contents>"
                )
        following = (
            f"<NextContinuationToken>{quote_plus(found[PAGE - 1])}</NextContinuationToken>"
            if more
            else ""
        )
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult '
            'xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>data</Name><EncodingType>url</EncodingType><KeyCount>{len(found[:PAGE])}</KeyCount><MaxKeys>{PAGE}</MaxKeys>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{following}{entries}</ListBucketResult>"
        ).encode()


class Connection(asyncio.Protocol):
    """One connection of a client's: requests without bodies, one after the other."""

    def __init__(self, store: Store, latency: float) -> None:
        self._store = store
        self._latency = latency
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
            asyncio.get_running_loop().call_later(self._latency, self._answer, head)

    def _answer(self, head: bytes) -> None:
        lines = head.decode().split("\r\n")
        method, target, _ = lines[0].split(" ")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines[1:])
        }
        parts = urlsplit(target)
        key = unquote(parts.path).removeprefix("/data").lstrip("/")
        if not key:
            query = parse_qs(parts.query, keep_blank_values=True)
            body = self._store.page(
                query.get("prefix", [""])[0], unquote(query.get("continuation-token", [""])[0])
            )
            self._send(200, body, {"Content-Type": "application/xml"}, method)
            return
        if key in self._store.busy:
            self._send(503, b"<Error><Code>SlowDown</Code></Error>", {}, method)
            return
        stored = self._store.objects.get(key)
        if stored is None:
            self._send(404, b"<Error><Code>NoSuchKey</Code></Error>", {}, method)
            return
        if headers.get("if-match", f'"{stored.etag}"') != f'"{stored.etag}"':
            self._send(412, b"<Error><Code>PreconditionFailed</Code></Error>", {}, method)
            return
        content = stored.body
        about = {
            "ETag": f'"{stored.etag}"',
            "Last-Modified": formatdate(stored.modified, usegmt=True),
        }
        span = headers.get("range")
        if span is None:
            self._send(200, content, about, method)
            return
        first, _, last = span.removeprefix("bytes=").partition("-")
        if int(first) >= len(content):
            self._send(416, b"<Error><Code>InvalidRange</Code></Error>", {}, method)
            return
        end = min(int(last) + 1 if last else len(content), len(content))
        about["Content-Range"] = f"bytes {first}-{end - 1}/{len(content)}"
        self._send(206, content[int(first) : end], about, method)

    def _send(self, status: int, body: bytes, headers: dict[str, str], method: str) -> None:
        if self._transport.is_closing():
            return
        lines = [
            f"HTTP/1.1 {status} OK",
            f"Content-Length: {len(body)}",
            "Accept-Ranges: bytes",
            "x-amz-request-id: 0",
        ]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._transport.write("\r\n".join([*lines, "", ""]).encode())
        if self._store.broken and status in (200, 206) and "ETag" in headers:
            self._store.broken -= 1
            self._transport.write(body[: len(body) // 2])
            self._transport.close()
        elif method != "HEAD":
            self._transport.write(body)


class Stand:
    """A server in a thread of its own: ``with Stand(store) as url``."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        starting = self._loop.create_server(lambda: Connection(self._store, 0), "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(30)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


async def serve(small: int, large: int, large_bytes: int) -> None:
    """Serve until killed."""
    store = Store()
    for number in range(small):
        store.put(
            f"small/{number % 100:02}/{number:06}.csv",
            (f"{number},".encode() * SMALL_BYTES)[:SMALL_BYTES],
            NOON,
        )
    for number in range(large):
        store.put(f"large/{number}.bin", bytes([65 + number]) * large_bytes, NOON)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(store, LATENCY), "127.0.0.1", 0
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(*map(int, sys.argv[1:])))
