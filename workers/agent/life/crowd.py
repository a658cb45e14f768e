"""Frees the seats of pages that never connect, when visitors queue.

:mod:`chalicelib.scheduler.crowd` says which pages give way.
"""

import asyncio
from collections.abc import Callable, Mapping

from agent.log import logger
from chalicelib.clock import Clock, Steady, wall_clock
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.instances import store
from chalicelib.instances.model import InstanceRef
from chalicelib.scheduler.crowd import SETTLED, CrowdLimits, OpenPage, giving_way
from chalicelib.scheduler.seating import is_queued

LOOK_EVERY = 2.0
"""Seconds between two looks.

The instance's row is read only while pages wait for their connection and half of the seats are
taken.
"""
_CROWDED = 0.5


class Crowd:
    """Ends sessions of pages without a connection when visitors queue.

    ``pages`` returns the sessions that wait for their first connection, each with its start time
    (by ``steady``). ``taken`` returns how many seats are taken. ``settings`` returns the current
    settings. ``network_of`` returns the network of a session's visitor. ``end`` ends a session.
    """

    def __init__(
        self,
        ref: InstanceRef,
        pages: Callable[[], Mapping[str, float]],
        taken: Callable[[], int],
        settings: Callable[[], AppSettings],
        network_of: Callable[[str], str],
        end: Callable[[str], None],
        steady: Steady,
        clock: Clock = wall_clock,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self._ref = ref
        self._pages = pages
        self._taken = taken
        self._settings = settings
        self._network_of = network_of
        self._end = end
        self._steady = steady
        self._clock = clock
        self._look_every = look_every

    async def run(self) -> None:
        """Look at regular intervals, until cancelled."""
        while True:
            await asyncio.sleep(self._look_every)
            try:
                await self.look()
            except Exception as error:  # the next look may succeed
                logger.warning(f"nobody could look whether visitors queue: {error}")

    async def look(self) -> None:
        """Let pages give way, if there are some and visitors queue."""
        settings, now = self._settings(), self._steady()
        capacity = settings.worker_limits.seats
        pages = self._pages()
        if self._taken() < _CROWDED * capacity or not any(
            now - opened_at >= SETTLED for opened_at in pages.values()
        ):
            return
        row = await asyncio.to_thread(store.get, self._ref)
        if row is None or not is_queued(row, self._clock()):
            return
        opened = [
            OpenPage(session, self._network_of(session), opened_at)
            for session, opened_at in self._pages().items()
        ]
        gone = giving_way(opened, self._steady(), capacity, CrowdLimits.of(settings))
        for session in gone:
            self._end(session)
        if gone:
            logger.info(
                "pages without a connection gave their seats to those who queue",
                extra={"pages": len(gone)},
            )
