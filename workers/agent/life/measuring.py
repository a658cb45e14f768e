"""Measures what an app takes of the disks: its processes' folders, the instance's copy of its
files, and its data.
"""

import asyncio
import time
from collections.abc import Callable

from agent.log import logger
from agent.processes import quota
from agent.processes.app_folder import AppFolder
from agent.processes.quota import Quota
from agent.processes.worker import Worker
from agent.processes.workers import Workers
from machine.untrusted import Usage


class Measurements:
    """The measurements of one instance.

    :param data: returns how much is in the app's data folder; raises :class:`OSError`.
    """

    def __init__(self, workers: Workers, copy: AppFolder, data: Callable[[], Usage]) -> None:
        self._workers = workers
        self._copy = copy
        self._data = data
        self._copy_quota = Quota(
            "The app's own folder and what it wrote there",
            quota.COPY,
            "The app's processes are ended, and its folder is made anew from its version.",
        )
        self._data_quota = Quota(
            "Files in SHEEN_APP_DATA", quota.DATA, "The operator is told, and may archive the app."
        )
        self._data_at = 0.0

    async def run(self) -> None:
        """Measure each minute, and the data each hour, while there are workers."""
        while True:
            await asyncio.sleep(quota.EVERY)
            for worker in self._workers.all:
                try:
                    await worker.keep_to_quota()
                except Exception as error:  # the next look may find more
                    about = {"worker": worker.spec.worker_id}
                    logger.warning(f"a worker's folders were not measured: {error}", extra=about)
            if not self._workers.all:
                continue
            try:
                await self.look_at_copy()
                if time.monotonic() >= self._data_at:
                    self._data_at = time.monotonic() + quota.DATA_EVERY
                    self._tell(self._data_quota.judge(await asyncio.to_thread(self._data)))
            except OSError as error:
                logger.warning(f"the app's files were not measured: {error}")

    async def look_at_copy(self) -> None:
        """Measure the copy. If it has more than its quota, end the app's processes and have it made
        anew.
        """
        used = await asyncio.to_thread(self._copy.usage)
        self._tell(self._copy_quota.judge(used))
        if self._copy_quota.is_exceeded(used):
            ending: list[Worker] = list(self._workers.all)
            for worker in ending:
                worker.begin_stop()
            await asyncio.gather(*(worker.gone() for worker in ending))
            self._copy.forget()

    def _tell(self, line: str | None) -> None:
        if line is not None:
            logger.error(line)
            for worker in self._workers.all:
                worker.tell(line)
