"""Asks a worker for what a visitor requested, over the worker's unix socket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import NamedTuple

import aiohttp
from aiohttp import StreamReader, web
from multidict import CIMultiDict
from yarl import URL

from agent import failure
from agent.failure import WorkerExited, WorkerFailed
from agent.http import headers
from agent.http.r_socket import WorkerConnector
from agent.http.worker_http import LARGEST_HEAD
from agent.log import logger
from agent.processes.worker import Worker, WorkerState
from agent.processes.workers import Workers
from chalicelib.agents import protocol
from chalicelib.instances import worker_id

CONNECTIONS = 32
"""Connections to one R process at once; R answers one request at a time anyway (FACTS R6)."""
CHUNK = 64 * 1024
DEATH_SHOWS = 1.0
"""Seconds to learn that R has ended, after its connection broke."""


class AppRequest(NamedTuple):
    """A visitor's request for ``path`` of the app, which is encoded and starts with a slash."""

    request: web.Request
    path: str
    base: str
    session: str
    worker: str
    """The id of the only worker for the request; empty if any worker will do."""
    body: bytes | StreamReader | None
    no_page: asyncio.Event
    """Set as soon as it is known that the answer is not a page of the app's."""

    @classmethod
    def of(cls, request: web.Request, path: str, prefix: str) -> "AppRequest":
        """Return the visit; ``prefix`` is the start of the ids of this instance's workers."""
        named = worker_id.named(path, request.query.items())
        mine = named is not None and named.number and str(named).startswith(f"{prefix}.")
        return cls(
            request,
            path,
            request.headers.get(protocol.BASE, "").rstrip("/"),
            request.headers.get(protocol.SESSION, ""),
            str(named) if mine else "",
            request.content if request.body_exists else None,
            asyncio.Event(),
        )

    @property
    def target(self) -> str:
        """The path and query, as the app sees them."""
        query = self.request.rel_url.raw_query_string
        return f"{self.path}?{query}" if query else self.path

    @property
    def is_for_any(self) -> bool:
        """Whether all workers may be asked, one after the other."""
        return not self.session and not self.worker and self.request.method in ("GET", "HEAD")

    def headers_for(self, worker: Worker, *, whole: bool) -> CIMultiDict[str]:
        """Return the headers with which a worker is asked; ``whole`` for a page or a whole file."""
        return headers.to_worker(
            self.request.headers,
            self.base,
            worker.spec.secret,
            page=whole,
            longest=worker.spec.runtime.longest_credentials,
            more=worker.spec.headers,
        )


class FromWorker(NamedTuple):
    """A worker's answer, whose body has not been read yet."""

    worker: Worker
    answer: aiohttp.ClientResponse
    headers: CIMultiDict[str]
    """What the visitor gets of the answer's headers."""
    is_page: bool
    """Whether it is HTML that a visitor opens."""

    async def what_happened(self, error: Exception) -> WorkerFailed:
        """Return why the rest of the answer did not come."""
        return await _what_happened(self.worker, error)


class WorkerClient:
    """Asks the workers of one instance, on kept connections."""

    def __init__(self, workers: Workers) -> None:
        self.workers = workers
        self._clients: dict[Worker, aiohttp.ClientSession] = {}

    @contextlib.asynccontextmanager
    async def asked(self, visit: AppRequest) -> AsyncIterator[FromWorker]:
        """Ask a worker, which starts if it must; raise :class:`agent.failure.WorkerFailed`.

        What a page refers to may exist in the page's own worker only (``addResourcePath`` while the
        page is made), and the requests for it do not name that worker. So if one worker does not
        have it, the others are asked.
        """
        async with self._worker_for(visit) as worker, contextlib.AsyncExitStack() as asked:
            got = await asked.enter_async_context(self.ask(worker, visit))
            if got.answer.status == 404 and visit.is_for_any:
                for other in self.workers.others(worker):
                    again = await asked.enter_async_context(self.ask(other, visit))
                    if again.answer.status != 404:
                        got = again
                        break
            yield got

    @contextlib.asynccontextmanager
    async def ask(
        self, worker: Worker, visit: AppRequest, *, whole: bool = False
    ) -> AsyncIterator[FromWorker]:
        """Ask this worker; with ``whole``, for all of a file of which the visitor wants a part."""
        request = visit.request
        client = await self.client(worker)
        page = bool(visit.session) and request.method == "GET"
        try:
            answer = await client.request(
                request.method,
                URL(f"http://localhost{visit.target}", encoded=True),
                headers=visit.headers_for(worker, whole=page or whole),
                data=visit.body,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, OSError) as error:
            raise await _what_happened(worker, error) from error
        async with answer:
            passed = headers.from_worker(answer.headers, visit.base, request.host)
            yield FromWorker(worker, answer, passed, _is_page(request, answer))

    async def client(self, worker: Worker) -> aiohttp.ClientSession:
        """Return the kept connections to ``worker``; close those to workers that have ended."""
        client = self._clients.get(worker)
        if client is None:
            ended = [
                self._clients.pop(known)
                for known in list(self._clients)
                if known.state is WorkerState.EXITED
            ]
            client = self._clients[worker] = aiohttp.ClientSession(
                connector=WorkerConnector(worker, CONNECTIONS),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent", "Content-Type", "Accept"),
                read_bufsize=CHUNK,
                max_line_size=LARGEST_HEAD,
                max_field_size=LARGEST_HEAD,
            )
            for gone in ended:
                await gone.close()
        return client

    async def close(self) -> None:
        """Close the kept connections."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.close()

    def _worker_for(self, visit: AppRequest) -> contextlib.AbstractAsyncContextManager[Worker]:
        if visit.session:
            return self.workers.seated(visit.session)
        return self.workers.named(visit.worker) if visit.worker else self.workers.use()


def worker_id_of(workers: Workers, prefix: str, session_id: str = "") -> str:
    """Return the id of a session's worker; without one, an id that names only the instance."""
    worker = workers.worker_of(session_id)
    return worker.spec.worker_id if worker is not None else f"{prefix}.0"


def _is_page(request: web.Request, answer: aiohttp.ClientResponse) -> bool:
    return request.method == "GET" and answer.status == 200 and answer.content_type == "text/html"


async def _what_happened(worker: Worker, error: Exception) -> WorkerFailed:
    """Return why R did not answer: it has ended, or its connection broke."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(worker.gone(), DEATH_SHOWS)
    if worker.returncode is not None:
        return failure.exited(
            worker.returncode, worker.said, worker.out_of_memory, worker.spec.runtime.language
        )
    logger.warning(
        "R did not answer", extra={"worker": worker.spec.worker_id, "error": repr(error)}
    )
    return WorkerExited(
        "The app did not answer: its connection broke. Reload the page to try again."
    )
