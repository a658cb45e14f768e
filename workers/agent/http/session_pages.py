"""The pages of sessions: R's HTML, with the relay client, a ticket and cookies."""

import asyncio
import gzip
import zlib
from collections.abc import Callable
from contextlib import suppress

import aiohttp
from aiohttp import web

from agent import failure
from agent.http import analytics, headers
from agent.http.asking import AppRequest, FromWorker, worker_id_of
from agent.http.client_files import ClientFiles
from agent.http.page_requests import PageRequests
from agent.processes.workers import Workers
from agent.sockets.sessions import Sessions
from agent.tickets import InstanceTickets
from chalicelib.agents import protocol
from chalicelib.sessions import passes
from relay import page

LARGEST_PAGE = 16 * 1024 * 1024
"""Largest HTML page that is read whole to insert the relay client, in bytes.

A larger page is refused.
"""


class SessionPages:
    """Makes the pages of an instance's sessions.

    ``analytics_id`` returns the app's id for Google Analytics; empty without. ``give_back`` gives a
    session's seat back. ``prefix`` is the start of the ids of the instance's
    workers.
    """

    def __init__(
        self,
        sessions: Sessions,
        workers: Workers,
        requests: PageRequests,
        tickets: InstanceTickets,
        client: ClientFiles,
        websocket_url: str,
        prefix: str,
        analytics_id: Callable[[], str],
        give_back: Callable[[str], None],
    ) -> None:
        self._sessions = sessions
        self._workers = workers
        self._requests = requests
        self._tickets = tickets
        self._client = client
        self._websocket_url = websocket_url
        self._prefix = prefix
        self._analytics_id = analytics_id
        self._give_back = give_back

    def came(self, visit: AppRequest) -> None:
        """Note that a session's page was requested."""
        said = visit.request.headers
        self._requests.came(
            visit.session, said.get(protocol.NETWORK, ""), said.get(protocol.LOGIN, "")
        )

    async def make(self, visit: AppRequest, got: FromWorker) -> web.Response:
        """Return the page of a visit, and expect its session.

        Raise :class:`agent.failure.WorkerFailed` if R does not finish the page, or if it is unfit.

        A page cannot go by S3: its relative URLs and its session are bound to the place that it
        came from. So a page that is too large for the caller is compressed.
        """
        html = await _whole(got)
        sent = visit.headers_for(got.worker, whole=True)
        self._requests.made(visit.session, sent, got.headers.getall("Set-Cookie", []))
        html = self.with_client(html, visit)
        asked = visit.request.headers
        largest = headers.largest(asked)
        packed = largest is not None and len(html) > largest and headers.accepts_gzip(asked)
        if packed:
            html = await asyncio.to_thread(gzip.compress, html, 6)
        told = headers.of_page(got.headers, len(html))
        if packed:
            told["Content-Encoding"] = "gzip"
        for cookie in self.cookies(visit):
            told.add("Set-Cookie", cookie)
        return web.Response(status=200, body=html, headers=told)

    def with_client(self, html: bytes, visit: AppRequest) -> bytes:
        """Return a session's page with the relay client in it, and expect the session."""
        config = page.PageConfig(
            session=visit.session,
            ticket=self._tickets.issue(visit.session),
            websocket_url=self._websocket_url,
            base=visit.base,
            client_hash=self._client.entry_hash,
            worker=worker_id_of(self._workers, self._prefix, visit.session),
            settings=self._sessions.settings,
        )
        self._sessions.reserve(visit.session)
        return page.inject(html, config, analytics.element(self._analytics_id()))

    def cookies(self, visit: AppRequest) -> list[str]:
        """Return the ``Set-Cookie`` headers of a session's page."""
        secure = visit.request.headers.get("X-Forwarded-Proto") == "https"
        visitor = passes.visitor_of("; ".join(visit.request.headers.getall("Cookie", [])))
        self._sessions.belongs(visit.session, visitor)
        ticket = self._tickets.issue(visit.session)
        return [
            passes.set_cookie(ticket, visit.base, secure=secure),
            *passes.set_visitor(visitor, visit.base, secure=secure),
        ]

    def left(self, session_id: str) -> None:
        """Give back what a session had here; it has ended, or no page of it was made."""
        self._requests.forget(session_id)
        self._workers.leave(session_id)
        self._give_back(session_id)


async def _whole(got: FromWorker) -> bytes:
    body = bytearray()
    html: bytes | None = None
    try:
        async for chunk in got.answer.content.iter_any():
            body += chunk
            if len(body) > LARGEST_PAGE:
                got.answer.close()
                break
        else:
            html = decoded(bytes(body), got.answer.headers.get("Content-Encoding", "identity"))
    except (aiohttp.ClientError, OSError) as error:
        raise await got.what_happened(error) from error
    if html is None:
        raise failure.PageUnfit(
            f"The page is larger than {LARGEST_PAGE // 1024**2} MB, or compressed in an unknown "
            "way."
        )
    return html


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
            with suppress(zlib.error):
                plain = unpack.decompress(body, LARGEST_PAGE)
                if unpack.eof:
                    return plain
    return None
