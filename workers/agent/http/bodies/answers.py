"""R's answers that a Lambda cannot take, because they are too large or too late (FACTS H1).

A large answer becomes an object, to which the visitor is redirected. For a late answer the visitor
is redirected to a URL of Sheen's, which waits longer and redirects there again. Both use status
303, which turns any method into a GET: R has had its request, and what follows only fetches the
answer.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import Any, NamedTuple

from aiohttp import web

from agent.http.bodies.objects import Objects, Part
from agent.log import logger
from chalicelib.bodies import keys
from chalicelib.bodies.stored import stored
from chalicelib.configuration.limits import (
    ABANDONED,
    KEPT_SECONDS,
    LINK_SECONDS,
    MOST_PARTS,
    PART,
    PATIENCE,
)
from chalicelib.errors import Broken
from chalicelib.instances.model import InstanceRef

LATE = "/__sheen__/answers/"
"""Path below an app's path at which a late answer is requested again."""
SPILLS = 3
"""Answers that are sent to S3 at once; others wait, and R's side waits with them."""
PARTS_AT_ONCE = 2
"""Parts of one answer that are sent at once."""
_NO_STORE = {"Cache-Control": "no-store"}


class AnswerTooLarge(Broken):
    """The answer is larger than the parts of one object may be together."""


class Kept(NamedTuple):
    """An answer that is an object."""

    key: str


Answer = web.Response | Kept


class _Waiting:
    def __init__(self, task: asyncio.Task[Answer]) -> None:
        self.task = task
        self.drop: asyncio.TimerHandle | None = None


class Answers:
    """Holds late answers, and makes objects of large ones.

    :param worker_id: returns the id of R's process, by which a Lambda finds this instance again
        (FACTS S3).
    """

    def __init__(
        self,
        ref: InstanceRef,
        objects: Objects,
        worker_id: Callable[[], str],
        *,
        patience: float = PATIENCE,
        abandoned: float = ABANDONED,
        kept: float = KEPT_SECONDS,
    ) -> None:
        self._ref = ref
        self._objects = objects
        self._worker_id = worker_id
        self._patience = patience
        self._abandoned = abandoned
        self._kept = kept
        self._waiting: dict[str, _Waiting] = {}
        self._making: set[asyncio.Task[Answer]] = set()
        self._spilling = asyncio.Semaphore(SPILLS)
        self._deletions: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, make: Coroutine[Any, Any, Answer]) -> asyncio.Task[Answer]:
        """Begin to make an answer, and return its task.

        The task continues however long the visitor can wait. It ends with the instance at the
        latest.
        """
        task = asyncio.create_task(make, name="answer")
        self._making.add(task)
        task.add_done_callback(self._making.discard)
        return task

    async def within_patience(
        self, making: asyncio.Task[Answer], base: str, host: str, waited: float = 0.0
    ) -> web.Response:
        """Return the answer that is being made, or a redirect to a URL that waits longer.

        ``waited`` is the number of seconds that the visitor has already waited.
        """
        return await self._wait("", _Waiting(making), base, host, waited)

    async def late(self, path: str, base: str, host: str) -> web.Response:
        """Answer a request for a late answer; ``path`` begins with :data:`LATE`."""
        token = path.removeprefix(LATE)
        waiting = self._waiting.get(token)
        if waiting is None:
            return web.Response(
                status=404,
                text="this answer has been fetched, or was given up; ask the app again\n",
                headers=_NO_STORE,
            )
        return await self._wait(token, waiting, base, host)

    async def keep(self, headers: Mapping[str, str], path: str, body: AsyncIterator[bytes]) -> Kept:
        """Make an object of an answer with these ``headers`` and this ``body``.

        If that fails or is cancelled, nothing of it stays.
        """
        key = keys.answer_key(self._ref, secrets.token_urlsafe(24), path)
        async with self._spilling:
            upload_id = await self._objects.begin(key, stored(headers, path))
            try:
                await self._objects.complete(
                    key, upload_id, await self._put_parts(key, upload_id, body)
                )
            except BaseException:
                self._background(self._objects.abort(key, upload_id))
                raise
        loop = asyncio.get_running_loop()
        self._deletions[key] = loop.call_later(self._kept, self._delete, key)
        logger.info("an answer went to S3", extra={"key": key})
        return Kept(key)

    async def close(self) -> None:
        """Give up late answers; objects stay, because a visitor may be fetching them."""
        for task in list(self._making):
            task.cancel()
        self._waiting.clear()
        for timer in self._deletions.values():
            timer.cancel()
        await asyncio.sleep(0)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=3.0)

    async def _wait(
        self, token: str, waiting: _Waiting, base: str, host: str, waited: float = 0.0
    ) -> web.Response:
        if waiting.drop is not None:
            waiting.drop.cancel()
        await asyncio.wait({waiting.task}, timeout=max(0.0, self._patience - waited))
        if not waiting.task.done():
            token = token or secrets.token_urlsafe(24)
            self._waiting[token] = waiting
            waiting.drop = asyncio.get_running_loop().call_later(
                self._abandoned, self._abandon, token
            )
            return _see_other(f"{base}{LATE}{token}?w={self._worker_id()}")
        self._waiting.pop(token, None)
        answer = waiting.task.result()
        if isinstance(answer, web.Response):
            return answer
        return _see_other(
            self._objects.link(await self._objects.signing(), "GET", answer.key, host, LINK_SECONDS)
        )

    async def _put_parts(self, key: str, upload_id: str, body: AsyncIterator[bytes]) -> list[Part]:
        sending: set[asyncio.Task[Part]] = set()
        sent: list[Part] = []
        number = 0
        try:
            async for data in _pieces(body, PART):
                number += 1
                if number > MOST_PARTS:
                    raise AnswerTooLarge(
                        f"the answer has more than {PART * MOST_PARTS:,} bytes, the most "
                        "that is passed on"
                    )
                sending.add(
                    asyncio.create_task(self._objects.put_part(key, upload_id, number, data))
                )
                del data
                if len(sending) >= PARTS_AT_ONCE:
                    done, sending = await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
                    sent += [task.result() for task in done]
            sent += await asyncio.gather(*sending)
        except BaseException:
            # A part that arrives after the upload was given up would stay.
            await asyncio.gather(*sending, return_exceptions=True)
            raise
        return sent

    def _abandon(self, token: str) -> None:
        waiting = self._waiting.pop(token, None)
        if waiting is not None:
            logger.info("nobody asked again for a late answer")
            waiting.task.add_done_callback(self._forget)
            waiting.task.cancel()

    def _forget(self, task: asyncio.Task[Answer]) -> None:
        if (
            not task.cancelled()
            and task.exception() is None
            and isinstance(kept := task.result(), Kept)
        ):
            self._delete(kept.key)

    def _delete(self, key: str) -> None:
        timer = self._deletions.pop(key, None)
        if timer is not None:
            timer.cancel()
        self._background(self._objects.delete(key))

    def _background(self, work: Awaitable[None]) -> None:
        async def run() -> None:
            try:
                await work
            except Exception as error:  # the bucket's lifecycle rule clears up later
                logger.warning("could not clear up in S3", extra={"error": str(error)})

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _pieces(body: AsyncIterator[bytes], size: int) -> AsyncIterator[bytes]:
    """Yield ``body`` in pieces of ``size`` bytes; at least one."""
    buffer = bytearray()
    given = False
    async for chunk in body:
        buffer += chunk
        while len(buffer) >= size:
            yield bytes(memoryview(buffer)[:size])
            given = True
            del buffer[:size]
    if buffer or not given:
        yield bytes(buffer)


def _see_other(url: str) -> web.Response:
    return web.Response(status=303, headers={**_NO_STORE, "Location": url})
