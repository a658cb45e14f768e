"""Gives an uploaded object to R as if the browser had posted it."""

import asyncio
import base64
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from agent.http import headers
from agent.http.bodies.objects import Objects
from agent.processes.worker import Worker
from agent.processes.workers import Workers
from chalicelib.bodies.errors import BadUpload
from chalicelib.configuration.limits import LARGEST_REPLY, PART

AHEAD = 2
"""Parts that are read from S3 before R wants them."""
PIECE = 256 * 1024
WINDOW = 4 * PART
"""Bytes after which R is asked something small, which it answers after the bytes before it.

httpuv reads a body as fast as it comes, and keeps in memory what R has no time to write. Without
the windows, the memory of a busy R would grow by the whole body.
"""


class WorkerAnswer(NamedTuple):
    """R's answer."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes

    def told(self) -> dict[str, str]:
        """Return the body in a form that fits into JSON."""
        try:
            return {"body": self.body.decode()}
        except UnicodeDecodeError:
            return {"body": base64.b64encode(self.body).decode(), "encoding": "base64"}


class Handover:
    """Gives objects to R; ``client`` returns the kept connections to a worker."""

    def __init__(
        self,
        workers: Workers,
        client: Callable[[Worker], Awaitable[aiohttp.ClientSession]],
        objects: Objects,
    ) -> None:
        self._workers = workers
        self._client = client
        self._objects = objects

    async def give(
        self,
        session_id: str,
        key: str,
        size: int,
        target: str,
        content_type: str,
        visitor: CIMultiDictProxy[str],
        base: str,
        progress: Callable[[int], None],
        method: str = "POST",
    ) -> WorkerAnswer:
        """Post the object of ``size`` bytes to ``target`` at the session's worker.

        ``method`` may name another method. ``visitor`` are the headers of the browser's request.
        ``progress`` is called with the number of bytes that have been given.

        R decides by the headers whether it wants the body (``shiny.maxRequestSize``), and gets it
        only then.
        """
        async with self._workers.of_session(session_id) as worker:
            client = await self._client(worker)
            sent = _headers(visitor, base, worker)
            sent["Content-Type"] = content_type
            sent["Content-Length"] = str(size)
            async with client.request(
                method,
                _url(target),
                headers=sent,
                data=self._body(worker, client, key, size, base, visitor, progress),
                expect100=True,
                allow_redirects=False,
            ) as answer:
                body = bytearray()
                async for chunk in answer.content.iter_any():
                    body += chunk
                    if len(body) > LARGEST_REPLY:
                        answer.close()
                        raise BadUpload(
                            f"the app's answer to it has more than {LARGEST_REPLY:,} "
                            "bytes, the most that is passed on here"
                        )
                passed = headers.from_worker(answer.headers, base, visitor.get("Host", ""))
                return WorkerAnswer(
                    answer.status, answer.reason or "", list(passed.items()), bytes(body)
                )

    async def _body(
        self,
        worker: Worker,
        client: aiohttp.ClientSession,
        key: str,
        size: int,
        base: str,
        visitor: CIMultiDictProxy[str],
        progress: Callable[[int], None],
    ) -> AsyncIterator[bytes]:
        given = since = 0
        async for part in _read(self._objects, key, size):
            for start in range(0, len(part), PIECE):
                piece = part[start : start + PIECE]
                yield piece
                given += len(piece)
                since += len(piece)
            progress(given)
            if since >= WINDOW and given < size:
                since = 0
                await self._written(worker, client, base, visitor)

    async def _written(
        self,
        worker: Worker,
        client: aiohttp.ClientSession,
        base: str,
        visitor: CIMultiDictProxy[str],
    ) -> None:
        """Return when R has finished its current work.

        The question is an OPTIONS request; no app answers that, unless it says that it does.
        """
        asked = _headers(visitor, base, worker)
        for name in ("Content-Type", "Content-Length"):
            asked.popall(name, None)
        async with client.options(
            _url("/__sheen__/"), headers=asked, allow_redirects=False
        ) as answer:
            await answer.read()


def _headers(visitor: CIMultiDictProxy[str], base: str, worker: Worker) -> CIMultiDict[str]:
    longest = worker.spec.runtime.longest_credentials
    return headers.to_worker(
        visitor,
        base,
        worker.spec.secret,
        page=False,
        more=worker.spec.headers,
        longest=longest,
    )


async def _read(objects: Objects, key: str, size: int) -> AsyncIterator[bytes]:
    """Yield an object part by part, while the next parts are being read."""
    starts = iter(range(0, size, PART))
    ahead: deque[asyncio.Task[bytes]] = deque()

    def begin() -> None:
        start = next(starts, None)
        if start is not None:
            ahead.append(asyncio.create_task(objects.read(key, start, min(start + PART, size) - 1)))

    try:
        for _ in range(AHEAD):
            begin()
        while ahead:
            part = await ahead.popleft()
            begin()
            yield part
            del part
    finally:
        for task in ahead:
            task.cancel()
        await asyncio.gather(*ahead, return_exceptions=True)


def _url(target: str) -> URL:
    return URL(f"http://localhost{target}", encoded=True)
