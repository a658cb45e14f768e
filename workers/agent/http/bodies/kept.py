"""R's answers that are too large for a Lambda (FACTS H1): objects, to which a visitor is sent."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import NamedTuple

from aiohttp import web

from agent.http.bodies.objects import Objects, UploadedPart
from agent.log import logger
from chalicelib.bodies import keys
from chalicelib.bodies.stored import stored
from chalicelib.configuration.limits import KEPT_SECONDS, LINK_SECONDS, MOST_PARTS, PART
from chalicelib.errors import Broken
from chalicelib.instances.model import InstanceRef

SPILLS = 3
"""Answers that are sent to S3 at once; others wait, and R's side waits with them."""
PARTS_AT_ONCE = 2
"""Parts of one answer that are sent at once."""


class AnswerTooLarge(Broken):
    """The answer is larger than the parts of one object may be together."""


class KeptAnswer(NamedTuple):
    """An answer that is an object."""

    key: str


Answer = web.StreamResponse | KeptAnswer


class KeptAnswers:
    """Makes objects of large answers, and deletes them after ``kept`` seconds."""

    def __init__(self, ref: InstanceRef, objects: Objects, *, kept: float = KEPT_SECONDS) -> None:
        self._ref = ref
        self._objects = objects
        self._kept = kept
        self._spilling = asyncio.Semaphore(SPILLS)
        self._deletions: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def keep(
        self, headers: Mapping[str, str], path: str, body: AsyncIterator[bytes]
    ) -> KeptAnswer:
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
        self._deletions[key] = loop.call_later(self._kept, self.delete, KeptAnswer(key))
        logger.info("an answer went to S3", extra={"key": key})
        return KeptAnswer(key)

    async def link(self, kept: KeptAnswer, host: str) -> str:
        """Return the URL at which a visitor of ``host`` fetches the answer."""
        signing = await self._objects.signing()
        return self._objects.link(signing, "GET", kept.key, host, LINK_SECONDS)

    def delete(self, kept: KeptAnswer) -> None:
        """Delete an answer that nobody will fetch."""
        timer = self._deletions.pop(kept.key, None)
        if timer is not None:
            timer.cancel()
        self._background(self._objects.delete(kept.key))

    async def close(self) -> None:
        """Finish; objects stay, because a visitor may be fetching them."""
        for timer in self._deletions.values():
            timer.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=3.0)

    async def _put_parts(
        self, key: str, upload_id: str, body: AsyncIterator[bytes]
    ) -> list[UploadedPart]:
        sending: set[asyncio.Task[UploadedPart]] = set()
        sent: list[UploadedPart] = []
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
