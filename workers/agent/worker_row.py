"""Keeps the instance's row up to date about its R process, for those who look (``sheen status``)."""

import asyncio

from agent.log import logger
from chalicelib.instances import store
from chalicelib.instances.model import InstanceRef


class WorkerRow:
    """Writes what it was told last; what it is told meanwhile is written next, and only the newest of it."""

    def __init__(self, ref: InstanceRef) -> None:
        self._ref = ref
        self._wanted: str | None = None
        self._written: str | None = None
        self._writing: asyncio.Task[None] | None = None

    def tell(self, worker_id: str | None) -> None:
        """This R process serves now; None: none does."""
        self._wanted = worker_id
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="worker's row")

    async def settled(self) -> None:
        """Wait until the row says what was told."""
        if self._writing is not None:
            await asyncio.wait([self._writing])

    async def _write(self) -> None:
        while self._written != self._wanted:
            worker_id = self._wanted
            try:
                await asyncio.to_thread(store.mark_worker, self._ref, worker_id)
            except Exception as error:  # it is for show: nothing may fail with it
                logger.warning("could not write which worker there is", extra={"error": repr(error)})
                return
            self._written = worker_id
