"""Keeps the list of R processes in the instance's row up to date, for ``sheen status``."""

import asyncio
import contextlib
from collections.abc import Sequence

from agent.log import logger
from chalicelib.instances import store
from chalicelib.instances.model import InstanceRef

PAUSE = 2.0
"""Seconds between two writes; workers may come and go faster than anybody looks."""


def as_text(worker_ids: Sequence[str]) -> str | None:
    """Return the worker ids as one short text; None if there are none.

    >>> as_text(["20261120T133144Z-3f9a.0.1", "20261120T133144Z-3f9a.0.4"])
    '20261120T133144Z-3f9a.0.1,4'
    """
    if not worker_ids:
        return None
    numbers = [worker_id.rpartition(".")[2] for worker_id in worker_ids]
    return f"{worker_ids[0].rpartition('.')[0]}.{','.join(numbers)}"


class WorkerRow:
    """Writes the newest list of workers to the row.

    Of the lists that arrive during a write, only the newest is written next.
    """

    def __init__(self, ref: InstanceRef, pause: float = PAUSE) -> None:
        self._ref = ref
        self._pause = pause
        self._wanted: str | None = None
        self._written: str | None = None
        self._writing: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()

    def tell(self, worker_ids: Sequence[str]) -> None:
        """Set the R processes that serve now."""
        self._wanted = as_text(worker_ids)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="workers' row")

    async def settled(self) -> None:
        """Wait until the row is up to date, without further pauses."""
        self._hurry.set()
        if self._writing is not None:
            await asyncio.wait([self._writing])

    async def _write(self) -> None:
        while self._written != self._wanted:
            wanted = self._wanted
            try:
                await asyncio.to_thread(store.mark_worker, self._ref, wanted)
            except Exception as error:  # the row only informs, so nothing may fail because of it
                logger.warning(
                    "could not write which workers there are", extra={"error": repr(error)}
                )
                return
            self._written = wanted
            if not self._hurry.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._hurry.wait(), self._pause)
