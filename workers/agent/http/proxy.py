"""The way of a visitor's request through the agent, and of the answer back.

Each part calls the next, and none calls back: the proxy asks a worker
(:mod:`agent.http.asking`), gives the answer its form (:mod:`agent.http.session_pages`,
:mod:`agent.http.fitting`), and waits for it no longer than a Lambda does
(:mod:`agent.http.bodies`). docs/contributor.md has the picture.
"""

import asyncio
from typing import NamedTuple

from aiohttp import web

from agent.failure import WorkerFailed
from agent.http import answers, headers
from agent.http.asking import CHUNK, AppRequest, FromWorker, WorkerClient
from agent.http.bodies.answers import LateAnswers
from agent.http.bodies.kept import Answer, KeptAnswers
from agent.http.bodies.pages import LatePages, PageRequest
from agent.http.fitting import fit
from agent.http.session_pages import SessionPages
from agent.log import logger
from agent.processes.worker import Worker
from chalicelib.agents import protocol
from chalicelib.agents.protocol import Refusal

LARGEST_REQUEST = 10 * 1024 * 1024
"""Largest body of a request, in bytes; the gateway takes no more (FACTS H1)."""


class ForLambda(NamedTuple):
    """What it takes to answer a Lambda, which takes no large answer and does not wait long."""

    kept: KeptAnswers
    answers: LateAnswers
    pages: LatePages


class Proxy:
    """Passes visitors' requests to the instance's workers, and their answers back.

    Without ``for_lambda``, answers stream. ``prefix`` is the start of the ids of this instance's
    workers.
    """

    def __init__(
        self,
        asking: WorkerClient,
        pages: SessionPages,
        for_lambda: ForLambda | None = None,
        prefix: str = "",
    ) -> None:
        self._asking = asking
        self._pages = pages
        self._for_lambda = for_lambda
        self._prefix = prefix

    async def handle(self, request: web.Request, path: str) -> web.StreamResponse:
        """Answer a request for ``path`` of the app; wait while R starts.

        ``path`` is encoded and starts with a slash.
        """
        visit = AppRequest.of(request, path, self._prefix)
        if visit.session:
            self._pages.came(visit)
        largest = headers.largest(request.headers)
        if self._for_lambda is None or largest is None or request.method == "HEAD":
            answer = await self._answer(visit, None, 0)
            assert isinstance(answer, web.StreamResponse)
            return answer
        if token := request.headers.get(protocol.PAGE):
            return await self._hand_over(self._for_lambda, token, visit)
        return await self._in_time(self._for_lambda, visit, largest)

    async def _in_time(self, by: ForLambda, visit: AppRequest, largest: int) -> web.StreamResponse:
        """Return the whole answer, or where it can be had later."""
        # Read the whole body now: the caller may have been sent elsewhere for the answer by the
        # time that R takes the body.
        visit = visit._replace(body=await _body(visit.request))
        making = by.answers.begin(self._answer(visit, by, largest))
        begun = asyncio.get_running_loop().time()
        if visit.session:
            busy = await by.pages.within_patience(making, visit.no_page, _asked(visit))
            if busy is not None:
                return busy
        waited = asyncio.get_running_loop().time() - begun
        return await by.answers.within_patience(making, visit.base, _host(visit), waited)

    async def _hand_over(self, by: ForLambda, token: str, visit: AppRequest) -> web.StreamResponse:
        """Answer with R's kept answer, or with the waiting page if R is still at work."""
        asked = _asked(visit)
        kept = await by.pages.hand_over(token, asked.target)
        if kept is None:
            return answers.refused(Refusal.NO_PAGE)
        if isinstance(kept, web.Response):
            return kept
        waited = by.pages.patience
        answer = await by.answers.within_patience(kept, asked.base, _host(visit), waited)
        answer.headers.add("Set-Cookie", by.pages.cookie(asked))
        return answer

    async def _answer(self, visit: AppRequest, by: ForLambda | None, largest: int) -> Answer:
        """Return a page, R's other answer, or an error.

        The other answer has a form for a Lambda; without ``by``, it has been passed on as it came.
        """
        page: web.Response | None = None
        worker: Worker | None = None
        try:
            async with self._asking.asked(visit) as got:
                worker = got.worker
                if visit.session and got.is_page:
                    page = await self._pages.make(visit, got)
                    return page
                visit.no_page.set()
                if by is None:
                    return await _stream(visit.request, got)
                return await fit(visit, got, largest, self._asking, by.kept)
        except WorkerFailed as error:
            return self._failed(visit, worker, error)
        finally:
            if page is None:
                visit.no_page.set()
                if visit.session:
                    self._pages.left(visit.session)

    def _failed(
        self, visit: AppRequest, worker: Worker | None, error: WorkerFailed
    ) -> web.Response:
        logger.warning(str(error), extra={"path": visit.path})
        known = worker or self._asking.workers.newest
        if known is None:
            return web.Response(
                status=503, text=f"{error}\n", headers={"Cache-Control": "no-store"}
            )
        spec = known.spec
        return answers.failed(
            visit.request, error, spec.directory, visit.base, spec.sanitize_errors
        )


def _asked(visit: AppRequest) -> PageRequest:
    secure = visit.request.headers.get("X-Forwarded-Proto") == "https"
    return PageRequest(visit.target, visit.session, visit.base, secure)


def _host(visit: AppRequest) -> str:
    return visit.request.headers.get("Host", "")


async def _body(request: web.Request) -> bytes | None:
    if not request.body_exists:
        return None
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > LARGEST_REQUEST:
            raise web.HTTPRequestEntityTooLarge(LARGEST_REQUEST, len(body))
    return bytes(body)


async def _stream(request: web.Request, got: FromWorker) -> web.StreamResponse:
    """Pass the body on as it comes.

    The next part is read when the visitor's side has taken the last one.
    """
    answer = got.answer
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=got.headers)
    await response.prepare(request)
    if request.method != "HEAD":
        async for chunk in answer.content.iter_chunked(CHUNK):
            await response.write(chunk)
    await response.write_eof()
    return response
