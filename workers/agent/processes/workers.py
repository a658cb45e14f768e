"""The instance's workers: R processes that start when sessions need them.

A worker ends after it has had no sessions for a while.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Protocol

from agent import failure
from agent.log import logger
from agent.processes.worker import Worker, WorkerState
from chalicelib.configuration.worker_limits import WorkerLimits
from chalicelib.scheduler.spread import OnNewWorker, OnWorker, WorkersFull, spread

_SERVING = (WorkerState.NEW, WorkerState.STARTING, WorkerState.READY)


ONE = WorkerLimits(100, 1.0, 1)
"""The default: one worker."""


class Listener(Protocol):
    """Receives changes of the workers."""

    def changed(self) -> None:
        """Another set of workers serves now."""

    def ended(self, worker: Worker, sessions: Iterable[str]) -> None:
        """A worker has ended while it had these sessions."""

    def superseded(self, worker: Worker, sessions: Iterable[str]) -> None:
        """A retired worker is about to be ended while it has these sessions."""


class Nobody:
    """A listener that ignores every change."""

    def changed(self) -> None:
        """Do nothing."""

    def ended(self, worker: Worker, sessions: Iterable[str]) -> None:
        """Do nothing."""

    def superseded(self, worker: Worker, sessions: Iterable[str]) -> None:
        """Do nothing."""


class _Held:
    """A worker, with its sessions and users."""

    def __init__(self, number: int, worker: Worker, now: float) -> None:
        self.number = number
        self.worker = worker
        self.sessions: set[str] = set()
        self.users = 0
        self.quiet_since = now
        self.starting: asyncio.Task[None] | None = None
        self.retired = False

    @property
    def serving(self) -> bool:
        return self.worker.state in _SERVING

    @property
    def open(self) -> bool:
        """Whether it takes new sessions, or soon will."""
        return self.serving and not self.retired

    @property
    def ready(self) -> bool:
        return self.worker.state is WorkerState.READY

    @property
    def busy(self) -> bool:
        return bool(self.users or self.sessions)


class Workers:
    """Gives out workers, and starts new ones if there are too few.

    :func:`chalicelib.scheduler.spread.spread` says when there are.

    ``make`` makes the n-th worker (counted from 1). A session keeps its worker from :meth:`seated`
    to :meth:`leave`. A worker starts only once, however many callers wait for it; after a failed
    start the next caller tries again. ``clock`` is any steady clock, in seconds. ``afresh`` makes a
    worker that is not forked, for an app that fails only in a forked R.
    """

    def __init__(
        self,
        make: Callable[[int], Worker],
        limits: WorkerLimits = ONE,
        listener: Listener | None = None,
        clock: Callable[[], float] = time.monotonic,
        afresh: Callable[[int], Worker] | None = None,
    ) -> None:
        self._make = make
        self._afresh = afresh
        self._limits = limits
        self._listener = listener or Nobody()
        self._clock = clock
        self._made = 0
        self._newest: Worker | None = None
        self._held: dict[int, _Held] = {}
        self._of: dict[str, _Held] = {}
        self._closed = False
        self._waiting = 0
        self._before_session: Callable[[], Awaitable[None]] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def listen(self, listener: Listener) -> None:
        """Tell this listener of the workers' changes from here on."""
        self._listener = listener

    def before_sessions(self, look: Callable[[], Awaitable[None]]) -> None:
        """Wait for this before a new session gets its worker."""
        self._before_session = look

    # Workers and their sessions

    @property
    def all(self) -> Sequence[Worker]:
        """The workers that have a process, or are about to have one, oldest first."""
        return [held.worker for held in self._held.values()]

    @property
    def users(self) -> int:
        """How many requests use a worker or wait for one; sessions as such are not counted."""
        return self._waiting + sum(held.users for held in self._held.values())

    def sessions(self) -> list[str]:
        """Return the sessions that have a worker; each holds a seat.

        A session is among them even before its page is made.
        """
        return list(self._of)

    @property
    def newest(self) -> Worker | None:
        """The worker that was made last, even if it has ended."""
        return self._newest

    def sessions_of(self, worker: Worker) -> int:
        """Return how many sessions a worker has."""
        return sum(held.worker is worker for held in self._of.values())

    def worker_of(self, session_id: str) -> Worker | None:
        """Return the worker of a session, or None."""
        held = self._of.get(session_id)
        return held.worker if held is not None else None

    def others(self, worker: Worker) -> list[Worker]:
        """Return the other workers that serve now, those with most sessions first."""
        ready = [held for held in self._held.values() if held.ready and held.worker is not worker]
        return [
            held.worker
            for held in sorted(ready, key=lambda held: (-len(held.sessions), held.number))
        ]

    # Requests for a worker. Each raises agent.failure.WorkerFailed. If a caller gives up, the start
    # continues for the others.

    async def ready(self) -> Worker:
        """Return any worker that serves the app."""
        return (await self._any()).worker

    @contextlib.asynccontextmanager
    async def use(self) -> AsyncIterator[Worker]:
        """Yield any worker, for requests that every worker can answer.

        The worker is not ended as idle meanwhile.
        """
        async with self._waits():
            held = await self._any()
        async with self._using(held):
            yield held.worker

    @contextlib.asynccontextmanager
    async def named(self, worker_id: str) -> AsyncIterator[Worker]:
        """Yield the worker with this id.

        Raise :class:`agent.failure.WorkerGone` if it does not serve.
        """
        held = next(
            (held for held in self._held.values() if held.worker.spec.worker_id == worker_id), None
        )
        async with self._its_own(held) as worker:
            yield worker

    @contextlib.asynccontextmanager
    async def of_session(self, session_id: str) -> AsyncIterator[Worker]:
        """Yield a session's worker.

        Raise :class:`agent.failure.WorkerGone` if it does not serve.
        """
        async with self._its_own(self._of.get(session_id)) as worker:
            yield worker

    @contextlib.asynccontextmanager
    async def seated(self, session_id: str) -> AsyncIterator[Worker]:
        """Give a new session its worker, and yield that.

        Raise :class:`agent.failure.NoSeat` if every worker is full and no more may be started.
        """
        async with self._waits():
            if self._before_session is not None:
                await self._before_session()
            held = await self._seat(session_id)
        async with self._using(held):
            yield held.worker

    def leave(self, session_id: str) -> None:
        """Note that a session is over."""
        held = self._of.pop(session_id, None)
        if held is not None:
            held.sessions.discard(session_id)
            held.quiet_since = self._clock()
            self._end_retired()

    # Ends

    def retire(self, limits: WorkerLimits, at_most: int) -> int:
        """Retire the current workers, and return how many that were.

        New sessions go to new workers, within ``limits``. The retired workers end with their last
        session. At most ``at_most`` retired workers keep running; beyond that, the oldest are ended
        although they have sessions.
        """
        self._limits = limits
        retired = [held for held in self._held.values() if held.open]
        for held in retired:
            held.retired = True
        self._end_retired()
        living = [held for held in self._held.values() if held.retired and held.serving]
        for held in living[: max(0, len(living) - at_most)]:
            self._listener.superseded(held.worker, list(held.sessions))
            self._keep(held.worker.begin_stop())
        self._listener.changed()
        return len(retired)

    def is_retired(self, worker: Worker) -> bool:
        """Return whether a worker takes no new sessions because it is retired."""
        return any(held.retired for held in self._held.values() if held.worker is worker)

    def touch(self) -> None:
        """Restart the idle time of all workers, because a visitor is on the way.

        Workers without sessions are kept as if their last session had just left.
        """
        now = self._clock()
        for held in self._held.values():
            held.quiet_since = now

    def end_idle(self, after: float) -> list[Worker]:
        """End the workers that have been unused for ``after`` seconds, and return them.

        Visitors who arrive meanwhile get another worker.
        """
        now = self._clock()
        idle = [
            held
            for held in self._held.values()
            if held.open and held.ready and not held.busy and now - held.quiet_since >= after
        ]
        for held in idle:
            self._keep(held.worker.begin_stop())
        return [held.worker for held in idle]

    async def close(self) -> None:
        """Stop all workers; none starts any more."""
        self._closed = True
        starting = [
            held.starting
            for held in self._held.values()
            if held.starting is not None and not held.starting.done()
        ]
        for task in starting:
            task.cancel()
        if starting:
            await asyncio.wait(starting)
        await asyncio.gather(*(held.worker.stop() for held in list(self._held.values())))
        if self._tasks:
            await asyncio.wait(self._tasks)

    # Inside

    async def _any(self) -> _Held:
        while True:
            ready = [held for held in self._held.values() if held.ready]
            # A retired worker is better than a start, because files that pages refer to need no
            # session.
            if ready:
                return min(ready, key=lambda held: (held.retired, held.users, held.number))
            starting = next((held for held in self._held.values() if held.open), None)
            await self._started(starting or self._open())

    async def _seat(self, session_id: str) -> _Held:
        failed: failure.WorkerFailed | None = None
        while True:
            places = {
                held.number: len(held.sessions)
                for held in self._held.values()
                if held.open and (failed is None or held.ready)
            }
            match spread(places, self._limits):
                case OnWorker(number):
                    held = self._held[number]
                # Another worker does not start, so those that serve must take the session.
                case OnNewWorker() if failed is not None:
                    held = self._roomiest(places, failed)
                case OnNewWorker():
                    held = self._open()
                case WorkersFull():
                    raise failed or failure.NoSeat(self._limits.seats)
            held.sessions.add(session_id)
            self._of[session_id] = held
            try:
                return await self._started(held)
            except BaseException as error:
                self.leave(session_id)
                if (
                    not isinstance(error, failure.WorkerFailed)
                    or failed is not None
                    or self._closed
                ):
                    raise
                failed = error

    def _roomiest(self, places: dict[int, int], failed: failure.WorkerFailed) -> _Held:
        with_room = [
            number for number, count in places.items() if count < self._limits.max_connections
        ]
        if not with_room:
            raise failed
        return self._held[min(with_room, key=lambda number: (places[number], number))]

    def _open(self) -> _Held:
        if self._closed:
            raise failure.WorkerExited("The instance is being stopped.")
        self._made += 1
        self._newest = self._make(self._made)
        held = self._held[self._made] = _Held(self._made, self._newest, self._clock())
        held.starting = asyncio.create_task(
            self._start(held), name=f"start of {held.worker.spec.worker_id}"
        )
        held.starting.add_done_callback(_seen)
        return held

    async def _start(self, held: _Held) -> None:
        try:
            # A worker that is ending still uses its memory.
            ending = [
                other.worker
                for other in self._held.values()
                if not other.serving and not other.retired
            ]
            if sum(not other.retired for other in self._held.values()) > self._limits.max_processes:
                await asyncio.gather(*(worker.gone() for worker in ending))
            await self._begin(held)
        except BaseException:
            self._held.pop(held.number, None)
            raise
        held.quiet_since = self._clock()
        self._end_retired()
        self._keep(
            asyncio.create_task(self._watch(held), name=f"end of {held.worker.spec.worker_id}")
        )
        self._listener.changed()

    async def _begin(self, held: _Held) -> None:
        """Start a worker.

        If a forked worker fails, start a fresh one instead. If that serves the app, all later
        workers are fresh, too.
        """
        try:
            await held.worker.start()
        except failure.AppStartFailed:
            if self._afresh is None or not held.worker.forked or held.retired or self._closed:
                raise
            self._made += 1
            held.worker = self._newest = self._afresh(self._made)
            await held.worker.start()
            self._make = self._afresh
            logger.warning(
                "the app starts in a fresh R only, and gets no other from here on",
                extra={"worker": held.worker.spec.worker_id},
            )

    async def _watch(self, held: _Held) -> None:
        await held.worker.gone()
        self._held.pop(held.number, None)
        sessions = list(held.sessions)
        for session_id in sessions:
            self.leave(session_id)
        self._listener.changed()
        self._listener.ended(held.worker, sessions)

    async def _started(self, held: _Held) -> _Held:
        assert held.starting is not None
        await asyncio.shield(held.starting)
        return held

    @contextlib.asynccontextmanager
    async def _its_own(self, held: _Held | None) -> AsyncIterator[Worker]:
        if held is None or not held.ready:
            raise failure.WorkerGone
        async with self._using(held):
            yield held.worker

    @contextlib.asynccontextmanager
    async def _using(self, held: _Held) -> AsyncIterator[None]:
        held.users += 1
        try:
            yield
        finally:
            held.users -= 1
            held.quiet_since = self._clock()
            self._end_retired()

    @contextlib.asynccontextmanager
    async def _waits(self) -> AsyncIterator[None]:
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    def _end_retired(self) -> None:
        for held in self._held.values():
            if held.retired and held.ready and not held.busy:
                self._keep(held.worker.begin_stop())

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a worker could not be followed to its end", exc_info=error)


def _seen(task: asyncio.Task[None]) -> None:
    """Mark a failed start as seen, because all its waiters may have left."""
    if not task.cancelled():
        task.exception()
