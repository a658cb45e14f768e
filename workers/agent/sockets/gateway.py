"""Posts to browsers through API Gateway's ``@connections``.

A connection's frames are pulled from their session one at a time. So at most one post is in flight
per connection, and the frames of a slow connection stay with the session, which limits them.
"""

from __future__ import annotations

import asyncio
import functools
import random
import time
from collections.abc import Awaitable, Callable
from urllib.parse import quote, urlsplit

import aiohttp
from yarl import URL

from agent.log import logger
from agent.sockets.carriers import Source
from chalicelib.aws.signing import CredentialSource, Signer
from chalicelib.aws.sigv4 import Credentials

INTERVAL = 0.005
"""Shortest time between the starts of two posts to one connection, in seconds.

Messages that come meanwhile share a frame.
"""

_FIRST_RETRY = 0.05
_LAST_RETRY = 5.0
# A connection that took nothing for so long, for whatever reason, counts as gone.
_GIVE_UP = 60.0
# botocore renews a role's key a quarter of an hour before it ends, so this interval is enough.
_REFRESH = 60.0


class BrowserGone(Exception):
    """The connection has ended (status 410)."""


class _Pump:
    """One connection's posts: a task that lives while there is something to post."""

    __slots__ = ("_ended", "_gone", "_last", "_post", "_source", "_timer", "task")

    def __init__(
        self, source: Source, post: Callable[[str], Awaitable[None]], gone: Callable[[], None]
    ) -> None:
        self._source = source
        self._post = post
        self._gone = gone
        self._last = -1.0
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False
        self.task: asyncio.Task[None] | None = None

    def wake(self, delay: float = 0.0) -> None:
        """Post what the source has, now or after ``delay`` seconds.

        A call without a delay does not wait for an earlier one with a delay.
        """
        if self._ended or self.task is not None:
            return
        if not delay:
            self._start()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(delay, self._start)

    def end(self) -> None:
        """Post nothing more, and give up a post in flight."""
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        if self.task is not None and self.task is not asyncio.current_task():
            self.task.cancel()

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.task is None:
            self.task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                wait = self._last + INTERVAL - loop.time()
                if wait > 0:
                    await asyncio.sleep(wait)
                frame = self._source()
                if frame is None:
                    return
                self._last = loop.time()
                await self._post(frame)
        except BrowserGone:
            if not self._ended:
                self._ended = True
                self._gone()
        except Exception:
            logger.exception("posting to a connection failed")
        finally:
            self.task = None


class Gateway:
    """The way to the browsers.

    :param url: of the WebSocket API's stage; posts go to ``<url>/@connections/<id>``.
    :param http: kept alive and closed by the caller.
    """

    def __init__(
        self, url: str, region: str, credentials: CredentialSource, http: aiohttp.ClientSession
    ) -> None:
        parts = urlsplit(url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._path = parts.path.rstrip("/") + "/%40connections/"
        self._http = http
        self._source = credentials
        self._signer = Signer(region, parts.netloc)
        self._credentials: Credentials | None = None
        self._credentials_at = 0.0
        self._refresh: asyncio.Task[None] | None = None
        self._pumps: dict[str, _Pump] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self.posts = 0

    # Connections

    def open(self, connection_id: str, source: Source, gone: Callable[[], None]) -> _Pump:
        """Return the connection; it posts the frames of ``source`` whenever it is woken.

        ``gone`` is called once if the connection turns out to have ended.
        """
        pump = self._pumps.get(connection_id)
        if pump is None:

            def ended() -> None:
                del self._pumps[connection_id]
                gone()

            pump = _Pump(source, functools.partial(self._post, connection_id), ended)
            self._pumps[connection_id] = pump
        return pump

    def drop(self, connection_id: str) -> None:
        """Forget a connection that has ended, and give up a post in flight."""
        pump = self._pumps.pop(connection_id, None)
        if pump is not None:
            pump.end()

    def say(self, connection_id: str, frame: str, *, then_close: bool = False) -> None:
        """Try to post one frame to a connection that belongs to no session."""
        self._background(self._say(connection_id, frame, then_close))

    async def close(self) -> None:
        """Give up what is still in flight."""
        for connection_id in list(self._pumps):
            self.drop(connection_id)
        tasks = [*self._closing, *([self._refresh] if self._refresh else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def flush(self, timeout: float) -> None:  # noqa: ASYNC109 - for all of them together
        """Wait until everything is posted, or ``timeout`` seconds have passed."""
        pending = [pump.task for pump in self._pumps.values() if pump.task is not None]
        pending.extend(self._closing)
        if pending:
            await asyncio.wait(pending, timeout=timeout)

    # Inside

    async def _post(self, connection_id: str, frame: str) -> None:
        """Post until the frame is taken: skipping a frame would leave a gap before the next.

        :raises Gone: the connection has ended, or took nothing for a minute.
        """
        body = frame.encode()
        started = asyncio.get_running_loop().time()
        delay = _FIRST_RETRY
        while True:
            status = await self._request("POST", connection_id, body)
            if 200 <= status < 300:
                return
            if status in (410, 400, 413):
                if status != 410:
                    logger.error(
                        "a post was refused",
                        extra={"connection": connection_id, "status": status, "bytes": len(body)},
                    )
                raise BrowserGone
            if status == 403:
                self._credentials = None
            if asyncio.get_running_loop().time() - started > _GIVE_UP:
                logger.warning(
                    "a connection took nothing for too long",
                    extra={"connection": connection_id, "seconds": _GIVE_UP, "status": status},
                )
                raise BrowserGone
            # Throttled, or the browser does not read (FACTS W7), or the service fails for a moment.
            await asyncio.sleep(delay * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
            delay = min(delay * 2, _LAST_RETRY)

    async def _say(self, connection_id: str, frame: str, then_close: bool) -> None:
        body = frame.encode()
        for _ in range(3):
            status = await self._request("POST", connection_id, body)
            if status != 429 and status < 500:
                break
            await asyncio.sleep(0.2)
        if then_close:
            await asyncio.sleep(1.0)
            await self._request("DELETE", connection_id, b"")

    async def _request(self, method: str, connection_id: str, body: bytes) -> int:
        path = self._path + quote(connection_id, safe="-_.~")
        try:
            credentials = await self._current_credentials()
        # botocore has many errors, and all of them may be temporary.
        except Exception as error:
            logger.error("no credentials to post with", extra={"error": repr(error)})
            return 599
        headers = self._signer.headers(method, path, body, credentials, time.time())
        self.posts += 1
        try:
            async with self._http.request(
                method, URL(self._origin + path, encoded=True), data=body, headers=headers
            ) as response:
                await response.read()
                return response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            logger.warning(
                "a post failed", extra={"connection": connection_id, "error": repr(error)}
            )
            return 599

    async def _current_credentials(self) -> Credentials:
        now = asyncio.get_running_loop().time()
        if self._credentials is None or now - self._credentials_at > 10 * _REFRESH:
            await self._read_credentials()
        elif now - self._credentials_at > _REFRESH and self._refresh is None:
            self._refresh = asyncio.get_running_loop().create_task(self._read_credentials())
            self._refresh.add_done_callback(self._refreshed)
        assert self._credentials is not None
        return self._credentials

    async def _read_credentials(self) -> None:
        # botocore fetches role credentials over HTTP when they are about to end. That must not
        # block the loop.
        frozen = await asyncio.to_thread(self._source.get_frozen_credentials)
        self._credentials = Credentials(frozen.access_key, frozen.secret_key, frozen.token)
        self._credentials_at = asyncio.get_running_loop().time()

    def _refreshed(self, task: asyncio.Task[None]) -> None:
        self._refresh = None
        if not task.cancelled() and (error := task.exception()) is not None:
            self._credentials_at = asyncio.get_running_loop().time()
            logger.warning("could not renew the role's credentials", extra={"error": repr(error)})

    def _background(self, work: asyncio._CoroutineLike[None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
