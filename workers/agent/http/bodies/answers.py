"""R's answers that come too late for a Lambda (FACTS H1).

The visitor is redirected to a URL of Sheen's, which waits longer and redirects there again. Status
303 turns any method into a GET: R has had its request, and what follows only fetches the answer. An
answer that is an object is fetched by a redirect to it.
"""

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from typing import Any

from aiohttp import web

from agent.http.bodies.kept import Answer, KeptAnswer, KeptAnswers
from agent.log import logger
from chalicelib.configuration.limits import ABANDONED, PATIENCE

LATE = "/__sheen__/answers/"
"""Path below an app's path at which a late answer is requested again."""
_NO_STORE = {"Cache-Control": "no-store"}


class _Waiting:
    def __init__(self, task: asyncio.Task[Answer]) -> None:
        self.task = task
        self.drop: asyncio.TimerHandle | None = None


class LateAnswers:
    """Holds the answers that are being made.

    :param worker_id: returns the id of R's process, by which a Lambda finds this instance again
        (FACTS S3).
    """

    def __init__(
        self,
        kept: KeptAnswers,
        worker_id: Callable[[], str],
        *,
        patience: float = PATIENCE,
        abandoned: float = ABANDONED,
    ) -> None:
        self._kept = kept
        self._worker_id = worker_id
        self._patience = patience
        self._abandoned = abandoned
        self._waiting: dict[str, _Waiting] = {}
        self._making: set[asyncio.Task[Answer]] = set()

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
    ) -> web.StreamResponse:
        """Return the answer that is being made, or a redirect to a URL that waits longer.

        ``waited`` is the number of seconds that the visitor has already waited.
        """
        return await self._wait("", _Waiting(making), base, host, waited)

    async def late(self, path: str, base: str, host: str) -> web.StreamResponse:
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

    async def close(self) -> None:
        """Give up the answers that are being made."""
        for task in list(self._making):
            task.cancel()
        self._waiting.clear()
        await asyncio.sleep(0)

    async def _wait(
        self, token: str, waiting: _Waiting, base: str, host: str, waited: float = 0.0
    ) -> web.StreamResponse:
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
        if isinstance(answer, KeptAnswer):
            return _see_other(await self._kept.link(answer, host))
        return answer

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
            and isinstance(kept := task.result(), KeptAnswer)
        ):
            self._kept.delete(kept)


def _see_other(url: str) -> web.Response:
    return web.Response(status=303, headers={**_NO_STORE, "Location": url})
