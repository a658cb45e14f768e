"""Passes a visitor's request to R over its unix socket, and R's answer back.

The answer streams, or has a form that a Lambda can take.
"""

import asyncio
import contextlib
import functools
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple, TypeVar

import aiohttp
from aiohttp import StreamReader, web
from botocore.exceptions import BotoCoreError, ClientError
from multidict import CIMultiDict
from yarl import URL

from agent import failure
from agent.failure import AppExited, WorkerFailed
from agent.http import answers, headers
from agent.http.bodies.answers import Answer, Answers, AnswerTooLarge
from agent.http.bodies.pages import LatePages, PageAsked
from agent.http.r_socket import WorkerConnector
from agent.http.worker_http import LARGEST_HEAD
from agent.log import logger
from agent.processes.worker import Worker, WorkerState
from agent.processes.workers import Workers
from chalicelib.agents import protocol
from chalicelib.instances import worker_id

LARGEST_PAGE = 16 * 1024 * 1024
"""Largest HTML page that is read whole to insert the relay client, in bytes.

A larger page is refused.
"""
LARGEST_REQUEST = 10 * 1024 * 1024
"""Largest body of a request, in bytes; the gateway takes no more (FACTS H1)."""
CONNECTIONS = 32
"""Connections to one R process at once; R answers one request at a time anyway (FACTS R6)."""
CHUNK = 64 * 1024
DEATH_SHOWS = 1.0
"""Seconds to learn that R has ended, after its connection broke."""

T = TypeVar("T", bound=web.StreamResponse | Answer)


class Proxy:
    """Passes requests to the instance's worker.

    ``make_page`` puts the relay client into HTML and prepares the session: (html, session id, base)
    → html. ``no_page`` gets the session id if the answer turns out to be no page, so that no
    session will come of it. ``page_cookies`` returns the page's ``Set-Cookie`` headers: (session
    id, base, the request). ``large`` takes answers that are too large or too late for the caller,
    and ``pages`` takes pages that are too late. Without ``large``, or if any size is accepted,
    answers stream. ``prefix`` is the start of the ids of this instance's workers. ``seen`` gets the
    headers with which R was asked for a session's page, and the cookies that R set with it.
    ``came`` is called for each page that is requested, with the session id and the visitor's
    network.
    """

    def __init__(
        self,
        workers: Workers,
        make_page: Callable[[bytes, str, str], bytes],
        no_page: Callable[[str], None] = lambda session: None,
        page_cookies: Callable[
            [str, str, web.Request], list[str]
        ] = lambda session, base, request: [],
        large: Answers | None = None,
        pages: LatePages | None = None,
        prefix: str = "",
        seen: Callable[
            [str, CIMultiDict[str], list[str]], None
        ] = lambda session, headers, set_cookies: None,
        came: Callable[[str, str], None] = lambda session, address: None,
    ) -> None:
        self._workers = workers
        self._make_page = make_page
        self._no_page = no_page
        self._page_cookies = page_cookies
        self._large = large
        self._pages = pages
        self._prefix = prefix
        self._seen = seen
        self._came = came
        self._clients: dict[Worker, aiohttp.ClientSession] = {}

    async def handle(self, request: web.Request, path: str) -> web.StreamResponse:
        """Answer a request for ``path`` of the app; wait while R starts.

        ``path`` is encoded and starts with a slash.
        """
        base = request.headers.get(protocol.BASE, "").rstrip("/")
        session = request.headers.get(protocol.SESSION, "")
        if session:
            self._came(session, request.headers.get(protocol.NETWORK, ""))
        worker = self._named(request, path)
        largest = headers.largest(request.headers)
        if self._large is None or largest is None or request.method == "HEAD":
            visit = _Visit(
                request,
                path,
                base,
                session,
                worker,
                request.content if request.body_exists else None,
                asyncio.Event(),
            )
            return await self._answer(visit, functools.partial(_stream, request))
        asked = PageAsked(
            _target(request, path),
            session,
            base,
            request.headers.get("X-Forwarded-Proto") == "https",
        )
        if token := request.headers.get(protocol.PAGE):
            return await self._hand_over(self._large, token, asked, request.headers.get("Host", ""))
        # Read the whole body now: the caller may have been sent elsewhere for the answer by the
        # time that R takes the body.
        visit = _Visit(request, path, base, session, worker, await _body(request), asyncio.Event())

        async def fit(
            worker: Worker, answer: aiohttp.ClientResponse, passed: CIMultiDict[str]
        ) -> Answer:
            visit.no_page.set()
            return await self._fit(visit, largest, worker, answer, passed)

        making = self._large.begin(self._answer(visit, fit))
        begun = asyncio.get_running_loop().time()
        if (
            session
            and self._pages is not None
            and (busy := await self._pages.within_patience(making, visit.no_page, asked))
            is not None
        ):
            return busy
        waited = asyncio.get_running_loop().time() - begun
        return await self._large.within_patience(
            making, base, request.headers.get("Host", ""), waited
        )

    async def _hand_over(
        self, large: Answers, token: str, asked: PageAsked, host: str
    ) -> web.Response:
        """Answer with R's kept answer, or with the waiting page if R is still at work."""
        kept = await self._pages.hand_over(token, asked.target) if self._pages is not None else None
        if self._pages is None or kept is None:
            return web.Response(
                status=404, text="no such page is kept\n", headers={protocol.REFUSED: "page"}
            )
        if isinstance(kept, web.Response):
            return kept
        answer = await large.within_patience(kept, asked.base, host, waited=self._pages.patience)
        answer.headers.add("Set-Cookie", self._pages.cookie(asked))
        return answer

    def _named(self, request: web.Request, path: str) -> str:
        """Return the id of the worker that the request names, if it is one of this instance's."""
        worker = worker_id.named(path, request.query.items())
        return (
            str(worker)
            if worker is not None and worker.number and str(worker).startswith(f"{self._prefix}.")
            else ""
        )

    async def close(self) -> None:
        """Close the kept connections."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.close()

    async def _answer(
        self,
        visit: "_Visit",
        deliver: Callable[[Worker, aiohttp.ClientResponse, CIMultiDict[str]], Awaitable[T]],
    ) -> T | web.Response:
        """Return a page, the result of ``deliver`` for R's other answers, or an error."""
        request, base, session = visit.request, visit.base, visit.session
        worker: Worker | None = None
        page: web.Response | None = None
        try:
            async with self._asked(visit) as (worker, answer):
                passed = self._passed(visit, answer)
                if session and _is_page(request, answer):
                    page = await self._page(worker, answer, passed, visit)
                    return page
                return await deliver(worker, answer, passed)
        except WorkerFailed as error:
            known = worker or self._workers.newest
            logger.warning(str(error), extra={"path": visit.path})
            if known is None:
                return web.Response(
                    status=503, text=f"{error}\n", headers={"Cache-Control": "no-store"}
                )
            return answers.failed(
                request, error, known.spec.directory, base, known.spec.sanitize_errors
            )
        finally:
            if page is None:
                visit.no_page.set()
                if session:
                    self._no_page(session)

    async def _fit(
        self,
        visit: "_Visit",
        largest: int,
        worker: Worker,
        answer: aiohttp.ClientResponse,
        passed: CIMultiDict[str],
    ) -> Answer:
        """Return R's answer, or where it is kept if it has more than ``largest`` bytes."""
        assert self._large is not None
        try:
            start = b""
            limit = self._most_in_memory(visit, largest, answer)
            if (answer.content_length or 0) <= limit:
                start = await _up_to(answer, limit)
                if len(start) <= largest:
                    return _whole(answer, passed, start)
                if (
                    len(start) <= limit
                    and len(smaller := await asyncio.to_thread(gzip.compress, start, 6)) <= largest
                ):
                    return _whole(answer, headers.packed(passed), smaller)
            if visit.request.headers.get(protocol.HEAD):
                answer.close()
                return _whole(answer, passed, b"")
            if answer.status == 206:
                answer.close()
                # S3 then gives the range.
                async with self._ask(worker, visit, whole=True) as again:
                    return await self._fit(
                        visit, largest, worker, again, self._passed(visit, again)
                    )
            if not 200 <= answer.status < 300:
                return _refused(f"The app's answer {answer.status} is too large to pass on.")
            return await self._large.keep(passed, visit.path, _rest(start, answer))
        except (aiohttp.ClientError, OSError) as error:
            raise await _what_happened(worker, error) from error
        except AnswerTooLarge as error:
            return _refused(str(error))
        except (ClientError, BotoCoreError) as error:
            logger.exception("a large answer could not be stored")
            return _refused(f"The app's answer is large, and storing it failed: {error}")

    @staticmethod
    def _most_in_memory(visit: "_Visit", largest: int, answer: aiohttp.ClientResponse) -> int:
        """Return how many bytes of an answer are read whole.

        These may be more than ``largest`` if gzip can make the answer small enough.
        """
        asked = visit.request.headers
        packable = (
            answer.status == 200
            and "Range" not in asked
            and headers.accepts_gzip(asked)
            and headers.is_packable(answer.headers)
        )
        return max(largest, LARGEST_PAGE) if packable else largest

    @staticmethod
    def _passed(visit: "_Visit", answer: aiohttp.ClientResponse) -> CIMultiDict[str]:
        return headers.from_worker(answer.headers, visit.base, visit.request.host)

    @contextlib.asynccontextmanager
    async def _asked(self, visit: "_Visit") -> AsyncIterator[tuple[Worker, aiohttp.ClientResponse]]:
        """Yield the worker for a request, and its answer.

        What a page refers to may exist in the page's own worker only (``addResourcePath`` while the
        page is made), and the requests for it do not name that worker. So if one worker does not
        have it, the others are asked.
        """
        async with self._worker_for(visit) as worker, contextlib.AsyncExitStack() as asked:
            answer = await asked.enter_async_context(self._ask(worker, visit))
            if answer.status == 404 and visit.is_for_any:
                for other in self._workers.others(worker):
                    again = await asked.enter_async_context(self._ask(other, visit))
                    if again.status != 404:
                        worker, answer = other, again
                        break
            yield worker, answer

    def _worker_for(self, visit: "_Visit") -> contextlib.AbstractAsyncContextManager[Worker]:
        if visit.session:
            return self._workers.seated(visit.session)
        return self._workers.named(visit.worker) if visit.worker else self._workers.use()

    @contextlib.asynccontextmanager
    async def _ask(
        self, worker: Worker, visit: "_Visit", *, whole: bool = False
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        request = visit.request
        client = await self.client(worker)
        page = bool(visit.session) and request.method == "GET"
        try:
            answer = await client.request(
                request.method,
                URL(f"http://localhost{_target(request, visit.path)}", encoded=True),
                headers=_to_worker(worker, visit, page=page or whole),
                data=visit.body,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, OSError) as error:
            raise await _what_happened(worker, error) from error
        async with answer:
            yield answer

    async def _page(
        self,
        worker: Worker,
        answer: aiohttp.ClientResponse,
        passed: CIMultiDict[str],
        visit: "_Visit",
    ) -> web.Response:
        request, session, base = visit.request, visit.session, visit.base
        whole = await self._whole(worker, answer)
        if whole is None:
            raise failure.PageUnfit(
                f"The page is larger than {LARGEST_PAGE // 1024**2} MB, or compressed in "
                "an unknown way."
            )
        self._seen(session, _to_worker(worker, visit, page=True), passed.getall("Set-Cookie", []))
        html = self._make_page(whole, session, base)
        largest = headers.largest(request.headers)
        # A page cannot go by S3: its relative URLs and its session are bound to the place that it
        # came from.
        packed = (
            largest is not None and len(html) > largest and headers.accepts_gzip(request.headers)
        )
        if packed:
            html = await asyncio.to_thread(gzip.compress, html, 6)
        told = headers.of_page(passed, len(html))
        if packed:
            told["Content-Encoding"] = "gzip"
        for cookie in self._page_cookies(session, base, request):
            told.add("Set-Cookie", cookie)
        return web.Response(status=200, body=html, headers=told)

    async def _whole(self, worker: Worker, answer: aiohttp.ClientResponse) -> bytes | None:
        """Return a page's content.

        Return None if it is larger than :data:`LARGEST_PAGE`, or has an encoding that was not
        requested.
        """
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


class _Visit(NamedTuple):
    """A visitor's request."""

    request: web.Request
    path: str
    base: str
    session: str
    worker: str
    """The id of the only worker for the request; empty if any worker will do."""
    body: bytes | StreamReader | None
    no_page: asyncio.Event
    """Set as soon as it is known that the answer is not a page of the app's."""

    @property
    def is_for_any(self) -> bool:
        """Whether all workers may be asked, one after the other."""
        return not self.session and not self.worker and self.request.method in ("GET", "HEAD")


def _target(request: web.Request, path: str) -> str:
    query = request.rel_url.raw_query_string
    return f"{path}?{query}" if query else path


def _to_worker(worker: Worker, visit: _Visit, *, page: bool) -> CIMultiDict[str]:
    return headers.to_worker(visit.request.headers, visit.base, worker.spec.secret, page=page)


def decoded(body: bytes, encoding: str) -> bytes | None:
    """Return ``body`` without its content encoding.

    Return None if the encoding is unknown or broken, or if the result is larger than
    :data:`LARGEST_PAGE`.
    """
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


async def _body(request: web.Request) -> bytes | None:
    if not request.body_exists:
        return None
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > LARGEST_REQUEST:
            raise web.HTTPRequestEntityTooLarge(LARGEST_REQUEST, len(body))
    return bytes(body)


async def _up_to(answer: aiohttp.ClientResponse, size: int) -> bytes:
    """Read an answer to its end, or until it is larger than ``size``."""
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > size:
            break
    return bytes(body)


async def _rest(start: bytes, answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    yield start
    async for chunk in answer.content.iter_any():
        yield chunk


def _whole(answer: aiohttp.ClientResponse, passed: CIMultiDict[str], body: bytes) -> web.Response:
    told = CIMultiDict[str](
        (name, value) for name, value in passed.items() if name.lower() != "content-length"
    )
    return web.Response(status=answer.status, reason=answer.reason, headers=told, body=body)


def _refused(why: str) -> web.Response:
    return web.Response(status=502, text=f"{why}\n", headers={"Cache-Control": "no-store"})


async def _stream(
    request: web.Request, _worker: Worker, answer: aiohttp.ClientResponse, passed: CIMultiDict[str]
) -> web.StreamResponse:
    """Pass the body on as it comes.

    The next part is read when the visitor's side has taken the last one.
    """
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=passed)
    await response.prepare(request)
    if request.method != "HEAD":
        async for chunk in answer.content.iter_chunked(CHUNK):
            await response.write(chunk)
    await response.write_eof()
    return response


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
    return AppExited("The app did not answer: its connection broke. Reload the page to try again.")
