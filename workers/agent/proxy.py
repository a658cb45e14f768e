"""A visitor's request, passed to R over its unix socket and back, as it streams."""

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator, Callable

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from agent import answers, failure, headers
from agent.failure import AppExited, WorkerFailed
from agent.log import logger
from agent.worker import Worker
from agent.workers import Workers

LARGEST_PAGE = 16 * 1024 * 1024
"""Bytes of HTML that are read whole to put the relay client in; a larger page passes as it is."""
CONNECTIONS = 32
"""To one R process at once; R answers one request at a time anyway (FACTS R6)."""
CHUNK = 64 * 1024
DEATH_SHOWS = 1.0
"""Seconds to learn that R has ended, after its connection broke."""


class Proxy:
    """Passes requests to the instance's worker.

    ``make_page`` puts the relay client into HTML and awaits the session: (html, session id, base) → html. ``no_page`` is
    told the session id when the answer turned out to be no page, so that no session will come of it. ``page_cookie`` gives the
    page's ``Set-Cookie``: (session id, base, whether the visitor came by https).
    """

    def __init__(
        self,
        workers: Workers,
        make_page: Callable[[bytes, str, str], bytes],
        no_page: Callable[[str], None] = lambda session: None,
        page_cookie: Callable[[str, str, bool], str] | None = None,
    ) -> None:
        self._workers = workers
        self._make_page = make_page
        self._no_page = no_page
        self._page_cookie = page_cookie
        self._clients: dict[Worker, aiohttp.ClientSession] = {}

    async def handle(self, request: web.Request, path: str) -> web.StreamResponse:
        """Answer a request for ``path`` (encoded, with a slash at its start) of the app. Waits while R starts."""
        base = request.headers.get(headers.BASE, "").rstrip("/")
        session = request.headers.get(headers.SESSION, "")
        worker: Worker | None = None
        page: web.Response | None = None
        try:
            async with self._workers.use() as worker, self._ask(worker, request, path, base, page=bool(session)) as answer:
                passed = headers.from_worker(answer.headers, base, request.headers.get("X-Forwarded-Host", request.host))
                if session and _is_page(request, answer):
                    page = await self._page(worker, answer, passed, session, base, request.headers.get("X-Forwarded-Proto") == "https")
                    return page
                return await _stream(request, answer, passed)
        except WorkerFailed as error:
            current = worker or self._workers.current
            logger.warning(str(error), extra={"path": path})
            if current is None:
                return web.Response(status=503, text=f"{error}\n", headers={"Cache-Control": "no-store"})
            return answers.failed(request, error, current.spec.directory, base, current.spec.sanitize_errors)
        finally:
            if session and page is None:
                self._no_page(session)

    async def close(self) -> None:
        """Close the kept connections."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.close()

    @contextlib.asynccontextmanager
    async def _ask(
        self, worker: Worker, request: web.Request, path: str, base: str, *, page: bool
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        query = request.rel_url.raw_query_string
        client = await self._client(worker)
        try:
            answer = await client.request(
                request.method,
                URL(f"http://localhost{path}?{query}" if query else f"http://localhost{path}", encoded=True),
                headers=headers.to_worker(request.headers, base, worker.spec.secret, page=page and request.method == "GET"),
                data=request.content if request.body_exists else None,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, OSError) as error:
            raise await _what_happened(worker, error) from error
        async with answer:
            yield answer

    async def _page(
        self, worker: Worker, answer: aiohttp.ClientResponse, passed: CIMultiDict[str], session: str, base: str, secure: bool
    ) -> web.Response:
        whole = await self._whole(worker, answer)
        if whole is None:
            raise failure.PageUnfit(f"The page is larger than {LARGEST_PAGE // 1024**2} MB, or compressed in an unknown way.")
        html = self._make_page(whole, session, base)
        told = headers.of_page(passed, len(html))
        if self._page_cookie is not None:
            told.add("Set-Cookie", self._page_cookie(session, base, secure))
        return web.Response(status=200, body=html, headers=told)

    async def _whole(self, worker: Worker, answer: aiohttp.ClientResponse) -> bytes | None:
        """Read a page; None when it is larger than :data:`LARGEST_PAGE` or in an encoding that nobody asked for."""
        body = bytearray()
        try:
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > LARGEST_PAGE:
                    answer.close()
                    return None
        except (aiohttp.ClientError, OSError) as error:
            raise await _what_happened(worker, error) from error
        return decoded(bytes(body), answer.headers.get("Content-Encoding", "identity"))

    async def _client(self, worker: Worker) -> aiohttp.ClientSession:
        """The kept connections to ``worker``; those to its predecessors are closed."""
        client = self._clients.get(worker)
        if client is None:
            old, self._clients = self._clients, {}
            client = self._clients[worker] = aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(path=str(worker.socket), limit=CONNECTIONS),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent", "Content-Type", "Accept"),
                read_bufsize=CHUNK,
            )
            for gone in old.values():
                await gone.close()
        return client


def decoded(body: bytes, encoding: str) -> bytes | None:
    """Return ``body`` without its content encoding; None when that is unknown, broken, or the result larger than :data:`LARGEST_PAGE`."""
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip" | "deflate":
            unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
            with contextlib.suppress(zlib.error):
                plain = unpack.decompress(body, LARGEST_PAGE)
                if unpack.eof:
                    return plain
    return None


def _is_page(request: web.Request, answer: aiohttp.ClientResponse) -> bool:
    return request.method == "GET" and answer.status == 200 and answer.content_type == "text/html"


async def _stream(request: web.Request, answer: aiohttp.ClientResponse, passed: CIMultiDict[str]) -> web.StreamResponse:
    """Pass the body on as it comes: the next part is read when the visitor's side has taken the last."""
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=passed)
    await response.prepare(request)
    if request.method != "HEAD":
        async for chunk in answer.content.iter_chunked(CHUNK):
            await response.write(chunk)
    await response.write_eof()
    return response


async def _what_happened(worker: Worker, error: Exception) -> WorkerFailed:
    """Say why R did not answer: it has ended, or something is wrong with it."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(worker.gone(), DEATH_SHOWS)
    if worker.returncode is not None:
        return failure.exited(worker.returncode, worker.said)
    return AppExited(f"The app did not answer: {error or type(error).__name__}. Reload the page to try again.")
