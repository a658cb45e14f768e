"""Tasks that run beside the sessions."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from agent.log import logger


class Tasks:
    """Tasks that run beside the sessions; a failure of one is logged."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task, and keep it until it is done."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def settle(self, *graces: float) -> None:
        """Wait for all tasks; after each of the ``graces``, in seconds, cancel the late ones."""
        for grace in graces:
            if self._tasks:
                _, late = await asyncio.wait(self._tasks, timeout=grace)
                for task in late:
                    task.cancel()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a session's task failed", exc_info=error)
