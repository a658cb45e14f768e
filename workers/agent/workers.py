"""The instance's workers: one R process for now, started when somebody needs it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from agent import failure
from agent.worker import Worker, WorkerState


class Workers:
    """Gives out the worker, and starts one when there is none.

    ``make`` makes the n-th worker (counted from 1), ``on_ready`` is told each that serves. However many wait for a start, there
    is one; after a failed start the next who needs a worker tries again.
    """

    def __init__(self, make: Callable[[int], Worker], on_ready: Callable[[Worker], None] = lambda worker: None) -> None:
        self._make = make
        self._on_ready = on_ready
        self._made = 0
        self._current: Worker | None = None
        self._starting: asyncio.Task[Worker] | None = None
        self._closed = False
        self._users = 0

    @property
    def current(self) -> Worker | None:
        """The newest worker, whatever its state."""
        return self._current

    @property
    def users(self) -> int:
        """How many use a worker, or wait for one, inside :meth:`use`."""
        return self._users

    async def ready(self) -> Worker:
        """Return a worker that serves the app; raise :class:`agent.failure.WorkerFailed`.

        A caller that gives up does not stop the start for the others.
        """
        current = self._current
        if current is not None and current.state is WorkerState.READY:
            return current
        if self._closed:
            raise failure.AppExited("The instance is being stopped.")
        if self._starting is None or self._starting.done():
            self._starting = asyncio.create_task(self._start(), name="start of R")
            self._starting.add_done_callback(_seen)
        return await asyncio.shield(self._starting)

    @contextlib.asynccontextmanager
    async def use(self) -> AsyncIterator[Worker]:
        """A worker that :meth:`stop_unused` leaves alone meanwhile."""
        self._users += 1
        try:
            yield await self.ready()
        finally:
            self._users -= 1

    async def stop_unused(self) -> bool:
        """Stop a ready worker that nobody uses; return whether there was one. Who comes meanwhile gets a new one."""
        current = self._current
        if self._users or current is None or current.state is not WorkerState.READY:
            return False
        await current.stop()
        return True

    async def close(self) -> None:
        """Stop all; nothing starts any more."""
        self._closed = True
        starting = self._starting
        if starting is not None and not starting.done():
            starting.cancel()
            await asyncio.wait([starting])
        if self._current is not None:
            await self._current.stop()

    async def _start(self) -> Worker:
        if self._current is not None:
            await self._current.gone()
        self._made += 1
        worker = self._current = self._make(self._made)
        await worker.start()
        self._on_ready(worker)
        return worker


def _seen(task: asyncio.Task[Worker]) -> None:
    """Mark a failed start as seen: those who waited may all have left."""
    if not task.cancelled():
        task.exception()
