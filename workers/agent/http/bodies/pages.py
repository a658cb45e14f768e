"""Pages that R has not made in time, because a Lambda does not wait (FACTS H1).

R is computing for another visitor, or takes long for this page. The visitor gets a page that says
so and asks for the progress. R continues with the one request that it got. Its answer is kept and
handed over once, when the visitor's browser asks for the same URL again, with the cookie that came
with the waiting page. A page cannot go by a redirect as other late answers do: its relative URLs
and its session are bound to the place that it came from.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

from aiohttp import web

from agent.http.answers import PageShown
from agent.http.bodies.kept import Answer
from agent.log import logger
from chalicelib import pages
from chalicelib.bodies.pages import PAGES, page_cookie
from chalicelib.clock import Steady
from chalicelib.configuration.limits import (
    ABANDONED,
    LONGEST_PAGE,
    MOST_PAGES,
    PAGE_PATIENCE,
    PAGES_BYTES,
)

_NO_STORE = {"Cache-Control": "no-store"}


class PageRequest(NamedTuple):
    """A visitor's request for a page; ``target`` is its path and query, as the app sees them."""

    target: str
    session: str
    base: str
    secure: bool


class _Kept:
    def __init__(
        self,
        token: str,
        asked: PageRequest,
        making: asyncio.Task[Answer],
        no_page: asyncio.Event,
        since: float,
    ) -> None:
        self.token = token
        self.asked = asked
        self.making = making
        self.no_page = no_page
        self.since = since
        self.drop: asyncio.TimerHandle | None = None

    @property
    def size(self) -> int:
        """Bytes that the finished page holds."""
        if not self.making.done() or self.making.cancelled() or self.making.exception() is not None:
            return 0
        answer = self.making.result()
        return (
            len(answer.body)
            if isinstance(answer, web.Response) and isinstance(answer.body, bytes | bytearray)
            else 0
        )


class LatePages:
    """The pages that visitors of this instance wait for.

    :param worker_id: returns an id by which a Lambda finds this instance again (FACTS S3).
    :param is_live: returns whether a session still has its seat; it has not if its visitor stayed
        away too long.
    """

    def __init__(
        self,
        worker_id: Callable[[], str],
        is_live: Callable[[str], bool],
        clock: Steady = time.monotonic,
        *,
        patience: float = PAGE_PATIENCE,
        abandoned: float = ABANDONED,
        longest: float = LONGEST_PAGE,
        most: int = MOST_PAGES,
        most_bytes: int = PAGES_BYTES,
    ) -> None:
        self._worker_id = worker_id
        self._is_live = is_live
        self._clock = clock
        self.patience = patience
        self._abandoned = abandoned
        self._longest = longest
        self._most = most
        self._most_bytes = most_bytes
        self._kept: dict[str, _Kept] = {}

    def __len__(self) -> int:
        """Return how many visitors wait."""
        return len(self._kept)

    async def within_patience(
        self, making: asyncio.Task[Answer], no_page: asyncio.Event, asked: PageRequest
    ) -> web.Response | None:
        """Wait for a page, and return the waiting page if it takes too long.

        Return None if the page is ready, or if the answer turned out to be something else.
        """
        if await self._in_time(making, no_page):
            return None
        if len(self._kept) >= self._most:
            making.cancel()
            busy = pages.error(
                "The app is busy",
                "Too many wait for it already. Try again in a while.",
                None,
                f"{asked.base}/",
                status=503,
            )
            return PageShown(busy, {"retry-after": "30"})
        kept = _Kept(
            secrets.token_urlsafe(24), asked, making, no_page, self._clock() - self.patience
        )
        self._kept[kept.token] = kept
        making.add_done_callback(lambda _: self._keep_bounded())
        self._seen(kept)
        logger.info(
            "a visitor waits for a page that R has not made yet", extra={"session": asked.session}
        )
        return self._busy(kept)

    async def hand_over(
        self, token: str, target: str
    ) -> asyncio.Task[Answer] | web.Response | None:
        """Return the finished answer that was kept for a page of ``target``.

        Return the waiting page if the answer is not finished. Return None if nothing is kept, and R
        must be asked.
        """
        kept = self._kept.get(token)
        if kept is None or kept.asked.target != target:
            return None
        self._seen(kept)
        if not await self._in_time(kept.making, kept.no_page):
            return self._busy(kept)
        self._forget(kept)
        if kept.making.cancelled() or (
            not kept.no_page.is_set() and not self._is_live(kept.asked.session)
        ):
            return None
        return kept.making

    def status(self, path: str) -> web.Response:
        """Answer the waiting page, which asks below :data:`chalicelib.bodies.pages.PAGES`."""
        kept = self._kept.get(path.removeprefix(PAGES))
        if kept is not None and self._clock() - kept.since > self._longest:
            self._give_up(kept)
            kept = None
        if kept is None:
            return web.json_response(
                {"message": "this page is not kept any more; load it again"},
                status=404,
                headers=_NO_STORE,
            )
        self._seen(kept)
        ready = kept.making.done() or kept.no_page.is_set()
        return web.json_response({"state": "ready" if ready else "wait"}, headers=_NO_STORE)

    def cookie(self, asked: PageRequest, token: str = "") -> str:
        """Return the ``Set-Cookie`` with which the browser asks for the kept page.

        Without a token it makes the browser forget the page.
        """
        return page_cookie(token, self._worker_id(), asked.base, secure=asked.secure)

    async def close(self) -> None:
        """Give up all kept pages."""
        for kept in list(self._kept.values()):
            self._give_up(kept)
        await asyncio.sleep(0)

    async def _in_time(self, making: asyncio.Task[Answer], no_page: asyncio.Event) -> bool:
        other = asyncio.create_task(no_page.wait())
        try:
            done, _ = await asyncio.wait(
                {making, other}, timeout=self.patience, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            other.cancel()
        return bool(done)

    def _busy(self, kept: _Kept) -> web.Response:
        asked = kept.asked
        page = pages.busy(
            asked.base.rpartition("/")[2] or "The app",
            f"{asked.base}{PAGES}{kept.token}?w={self._worker_id()}",
            self.cookie(asked, kept.token),
            elapsed=self._clock() - kept.since,
        )
        return PageShown(page, {"set-cookie": self.cookie(asked, kept.token)})

    def _seen(self, kept: _Kept) -> None:
        if kept.drop is not None:
            kept.drop.cancel()
        kept.drop = asyncio.get_running_loop().call_later(self._abandoned, self._abandon, kept)

    def _abandon(self, kept: _Kept) -> None:
        logger.info("nobody waits for a late page any more", extra={"session": kept.asked.session})
        self._give_up(kept)

    def _give_up(self, kept: _Kept) -> None:
        self._forget(kept)
        kept.making.cancel()

    def _forget(self, kept: _Kept) -> None:
        self._kept.pop(kept.token, None)
        if kept.drop is not None:
            kept.drop.cancel()

    def _keep_bounded(self) -> None:
        """Give up the oldest finished pages while all together hold too much."""
        sizes = {kept.token: kept.size for kept in self._kept.values()}
        total = sum(sizes.values())
        for token, size in sizes.items():
            if total <= self._most_bytes:
                return
            if size:
                total -= size
                self._give_up(self._kept[token])
