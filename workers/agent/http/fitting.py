"""Gives a worker's answer a form that a Lambda can take: whole, compressed, or kept in S3."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web
from botocore.exceptions import BotoCoreError, ClientError
from multidict import CIMultiDict

from agent.http import headers
from agent.http.asking import AppRequest, FromWorker, WorkerClient
from agent.http.bodies.kept import Answer, AnswerTooLarge, KeptAnswers
from agent.http.session_pages import LARGEST_PAGE
from agent.log import logger
from chalicelib.agents import protocol


async def fit(
    visit: AppRequest, got: FromWorker, largest: int, asking: WorkerClient, kept: KeptAnswers
) -> Answer:
    """Return a worker's answer, or where it is kept if it has more than ``largest`` bytes.

    S3 gives parts of files, so a part that is too large is asked for anew as a whole.
    """
    answer, passed = got.answer, got.headers
    try:
        start = b""
        limit = _most_in_memory(visit, largest, answer)
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
            async with asking.ask(got.worker, visit, whole=True) as again:
                return await fit(visit, again, largest, asking, kept)
        if not 200 <= answer.status < 300:
            return _refused(f"The app's answer {answer.status} is too large to pass on.")
        return await kept.keep(passed, visit.path, _rest(start, answer))
    except (aiohttp.ClientError, OSError) as error:
        raise await got.what_happened(error) from error
    except AnswerTooLarge as error:
        return _refused(str(error))
    except (ClientError, BotoCoreError) as error:
        logger.exception("a large answer could not be stored")
        return _refused(f"The app's answer is large, and storing it failed: {error}")


def _most_in_memory(visit: AppRequest, largest: int, answer: aiohttp.ClientResponse) -> int:
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
