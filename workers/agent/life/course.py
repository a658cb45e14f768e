"""The instance's life, as the agent leads it: starting, ready, watched, idle, ended."""

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from agent.activity import Activity
from agent.failure import WorkerFailed
from agent.failure import cause as cause_of
from agent.life import reports
from agent.life.reports import NotAwaited
from agent.log import logger
from agent.processes.workers import Workers
from agent.record import InstanceRecord
from chalicelib.clock import Steady
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.instances import store
from chalicelib.instances.model import InstanceRef
from chalicelib.instances.state import InstanceState, Phase


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Intervals of the agent's regular tasks, in seconds."""

    beat: float = 20.0
    tick: float = 1.0
    """How often it checks whether the instance is in use."""
    retry: float = 2.0
    """Pause between attempts to tell the state machine something that it must know."""
    retired: float = 15.0
    """Time after which a retired instance that was not empty is checked again."""
    unwatched: float = 600.0
    """Time without a waiting state machine after which an idle instance ends by itself."""
    catch_up: float = 60.0
    """How often it looks for a restart, a new version or an app that it was not told of.

    The first look is as soon as the instance is ready.
    """


class LedApp(NamedTuple):
    """The served app, as far as its life depends on it."""

    workers: Workers
    activity: Activity
    catch_up: Callable[[], Awaitable[None]]
    """Does what the app's row asks if this instance was not told."""


def idle_limit(settings: AppSettings, *, visited: bool) -> float:
    """Return the quiet seconds after which an instance is idle; infinity if it is kept for good.

    No I/O. If no page has ever connected, the instance was started by a program that opened an
    address and went away; such an instance may be idle earlier.
    """
    limits = (
        [settings.instance_idle_timeout]
        if visited
        else [settings.instance_idle_timeout, settings.instance_unvisited_timeout]
    )
    return min(filter(None, limits), default=math.inf)


class InstanceLife:
    """Leads one instance from its start to its end.

    ``address`` (host:port) and ``task_arn`` are what the state machine is told about this task.
    ``start`` is awaited before that; it raises :class:`agent.failure.WorkerFailed` if nothing can
    be put into service. An instance that serves an app calls :meth:`lead`. A spare calls it when it
    is bound, and is never idle before. ``find_app`` looks for a binding that the spare was not told
    of.
    """

    def __init__(
        self,
        ref: InstanceRef,
        token: str,
        address: str,
        task_arn: str,
        start: Callable[[], Awaitable[object]],
        find_app: Callable[[], Awaitable[None]],
        rhythm: Rhythm = Rhythm(),
        steady: Steady | None = None,
    ) -> None:
        self._ref = ref
        self._first_token = token
        self._token: str | None = token
        self._token_order = 0
        self._address = address
        self._task_arn = task_arn
        self._start_app = start
        self._find_app = find_app
        self._directory = Path("/")
        self._led: LedApp | None = None
        self.settings = AppSettings()
        """The current settings; a restart brings new ones."""
        self.retired = False
        """Whether it takes no new sessions any more."""
        self._rhythm = rhythm
        self._now = steady or asyncio.get_running_loop().time
        self._ended = asyncio.Event()
        self._check = asyncio.Event()
        self._watched_at = self._now()
        self._phases: asyncio.Queue[Phase] = asyncio.Queue()
        self._retired_patience = 0.0
        self._catch_up_at = 0.0
        self.ready = False

    def lead(self, record: InstanceRecord, led: LedApp) -> None:
        """Serve this app from here on.

        From now on, the app's row says whether the instance is wanted.
        """
        self._ref = record.ref
        self._directory = record.directory
        self.settings = record.settings
        self._led = led
        led.activity.touch()

    async def run(self) -> int:
        """Lead the life until :meth:`end`, or until the instance is no longer wanted.

        Return the process's exit status.
        """
        tasks = [
            asyncio.create_task(self._beat(), name="beat"),
            asyncio.create_task(self._mark_phases(), name="phases"),
        ]
        try:
            if not await self._start():
                return 1
            await self._serve()
            return 0
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def end(self) -> None:
        """End the life, because the task is being stopped."""
        self._ended.set()

    def watch(self, token: str, order: int) -> bool:
        """Use this token, for which the state machine waits now.

        A token that follows an idle report says that a visitor had come, so the idle time starts
        anew.

        Return False if a token with a higher ``order`` is already here. The state machine has then
        given up the attempt to which this token belongs.
        """
        if order < self._token_order:
            logger.warning("a token came late, and is not taken")
            return False
        self._token_order = order
        if token == self._token:
            return True
        logger.info("the state machine watches")
        self._token = token
        self._watched_at = self._now()
        if self._led is not None:
            self._led.activity.touch()
            self._led.workers.touch()
        return True

    def retire(self) -> None:
        """Take no new sessions, and be idle as soon as the last session has left."""
        if not self.retired:
            logger.info("retired: takes no new sessions")
            self.retired = True

    def check(self) -> None:
        """Look at the instance's row, because the instance may have been given up."""
        self._check.set()

    def reached(self, phase: str) -> None:
        """Note that a start has come to ``phase``."""
        if not self.ready and phase in (Phase.FILES, Phase.APP):
            self._phases.put_nowait(Phase(phase))

    async def _start(self) -> bool:
        self._phases.put_nowait(Phase.R)
        starting = asyncio.ensure_future(self._start_app())
        ended = asyncio.create_task(self._ended.wait())
        await asyncio.wait({starting, ended}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not starting.done():
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            return False
        token, self._token = self._first_token, None
        try:
            starting.result()
        except WorkerFailed as error:
            logger.error(str(error))
            name, text = error.error, cause_of(error, self._directory)
            await self._tell(lambda: reports.failed(token, name, text))
            return False
        if not await self._tell(lambda: reports.ready(token, self._address, self._task_arn)):
            return False
        self.ready = True
        self._watched_at = self._now()
        if self._led is not None:
            self._led.activity.touch()
        logger.info("ready", extra={"address": self._address})
        return True

    async def _serve(self) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), self._rhythm.tick)
                return
            if self._led is not None:
                await self._look_after(self._led)
            await self._catch_up(self._find_app if self._led is None else self._led.catch_up)
            if self._check.is_set():
                self._check.clear()
                await self._end_if_given_up()

    async def _look_after(self, led: LedApp) -> None:
        settings = self.settings
        quiet = led.activity.quiet_for()
        if settings.app_idle_timeout:
            for worker in led.workers.end_idle(settings.app_idle_timeout):
                logger.info("R stops: nobody is here", extra={"worker": worker.spec.worker_id})
        if (
            self.retired
            and self._token is not None
            and not led.activity.busy
            and quiet >= self._retired_patience
        ):
            self._retired_patience = self._rhythm.retired
            await self._report_idle()
        elif quiet >= idle_limit(settings, visited=led.activity.visited):
            await self._report_idle()

    async def _catch_up(self, look: Callable[[], Awaitable[None]]) -> None:
        if self.retired or self._now() < self._catch_up_at:
            return
        self._catch_up_at = self._now() + self._rhythm.catch_up
        try:
            await look()
        except Exception as error:  # workers keep running, and the next look may succeed
            logger.warning(f"what was asked of this instance could not be looked up: {error}")

    async def _report_idle(self) -> None:
        token = self._token
        if token is None:
            if self._now() - self._watched_at >= self._rhythm.unwatched:
                logger.error(
                    "idle, and no state machine has watched this instance for long: it ends itself"
                )
                self.end()
            return
        try:
            await reports.idle(token)
        except NotAwaited as error:
            logger.warning(str(error))
            self.check()
        except Exception as error:  # told again at the next tick
            logger.warning(f"the state machine was not told that nobody is here: {error}")
            return
        else:
            logger.info("idle: told the state machine")
        if self._token == token:
            self._token = None
            self._watched_at = self._now()

    async def _beat(self) -> None:
        while True:
            token = self._token
            if token is None:
                await asyncio.sleep(self._rhythm.beat)
                continue
            try:
                await reports.beat(token)
            except NotAwaited as error:
                if self._token == token:
                    logger.warning(str(error))
                    self._token = None
                    self._watched_at = self._now()
                    await self._end_if_given_up()
            except Exception as error:  # one beat of several that fit into HeartbeatSeconds
                logger.warning(f"a heartbeat failed: {error}")
            await asyncio.sleep(self._rhythm.beat)

    async def _mark_phases(self) -> None:
        while True:
            phase = await self._phases.get()
            try:
                if not await asyncio.to_thread(store.mark_phase, self._ref, phase):
                    await self._end_if_given_up()
            except Exception as error:  # only the waiting page shows it
                logger.warning(f"phase {phase} was not written: {error}")

    async def _end_if_given_up(self) -> None:
        try:
            instance = await asyncio.to_thread(store.get, self._ref)
        except Exception as error:  # the next sign makes it look again
            logger.warning(f"the instance's row could not be read: {error}")
            return
        if instance is None or instance.state == InstanceState.STOPPED:
            logger.error("this instance was given up: its row is stopped, or another one's")
            self.end()

    async def _tell(self, report: Callable[[], Any]) -> bool:
        """Repeat a report until it succeeds; return whether it did.

        Give up if the state machine does not wait for it, or if the task is being stopped.
        """
        while True:
            try:
                await report()
                return True
            except NotAwaited as error:
                logger.error(str(error))
                return False
            except Exception as error:  # the network, or a throttle: this report must arrive
                logger.warning(f"the state machine could not be told: {error}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), self._rhythm.retry)
                return False
