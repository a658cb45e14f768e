"""How this instance's workers start.

A process whose runtime forks is forked from a preloaded R, or is fresh if that is not possible.
All others are fresh.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from agent.log import logger
from agent.processes import fresh, preloading
from agent.processes.command import WorkerSpec
from agent.processes.preloaded import NoFork, PreloadedProcess
from agent.processes.r_process import RProcess

AGAIN = 60.0
"""Seconds between the last start of a preloaded R and the start of its replacement."""


class Starter:
    """Starts workers.

    ``preloaded`` is an R that was started early; ``make`` starts another one when it has died.
    """

    def __init__(
        self,
        preloaded: PreloadedProcess | None = None,
        make: Callable[[], PreloadedProcess] = PreloadedProcess,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._preloaded = preloaded
        self._make = make
        self._clock = clock
        self._tried_at = clock()

    async def start(self, spec: WorkerSpec, folder: Path, mark: str) -> RProcess:
        """Start a worker; a :data:`agent.processes.r_process.Starter`."""
        process = await self._forked(spec, folder, mark) if spec.runtime.forks else None
        how = "forked" if process is not None else "fresh"
        if process is None:
            process = await fresh.start(spec, folder, mark)
        logger.info(
            f"{spec.runtime.language} started",
            extra={"worker": spec.worker_id, "pid": process.pid, "how": how},
        )
        return process

    async def loaded(self) -> None:
        """Wait until workers can be forked, or until it turns out that they cannot."""
        if self._preloaded is not None:
            try:
                await self._preloaded.versions()
            except NoFork as error:
                logger.warning(f"workers are not forked: {error}")
                self.close()

    @property
    def pids(self) -> tuple[int, ...]:
        """The preloaded R's process id, if there is one."""
        return () if self._preloaded is None else (self._preloaded.pid,)

    def close(self) -> None:
        """End the preloaded R; workers keep running."""
        preloaded, self._preloaded = self._preloaded, None
        if preloaded is not None:
            preloaded.close()

    async def _forked(self, spec: WorkerSpec, folder: Path, mark: str) -> RProcess | None:
        if (why := preloading.needs_fresh(spec)) is not None:
            logger.info("a fresh R is started", extra={"worker": spec.worker_id, "why": why})
            return None
        try:
            if self._preloaded is None:
                self._start_another()
            if self._preloaded is None:
                return None
            loaded = await self._preloaded.versions()
            if spec.library is not None and (
                other := await asyncio.to_thread(preloading.other_versions, spec.library, loaded)
            ):
                why = f"the app has other versions of {', '.join(other)}"
                logger.info("a fresh R is started", extra={"worker": spec.worker_id, "why": why})
                return None
            # What is in place was looked at before, as the app's user.
            if spec.account is None and not spec.directory.is_dir():
                raise FileNotFoundError(2, "No such file or directory", str(spec.directory))
            return await self._preloaded.fork(spec, folder, mark)
        except NoFork as error:
            logger.warning(f"no worker was forked: {error}", extra={"worker": spec.worker_id})
            self.close()
            return None

    def _start_another(self) -> None:
        now = self._clock()
        if now - self._tried_at >= AGAIN:
            self._tried_at = now
            self._preloaded = self._make()
