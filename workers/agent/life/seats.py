"""The agent's side of the seats: renews the leases of its sessions, and gives back seats.

A seat goes back when its session has ended. One task does both, one after the other, so a renewal
can never bring back a seat that was given back (DESIGN rule 2).
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable

from agent.log import logger
from chalicelib.clock import Clock, wall_clock
from chalicelib.instances import lease, store
from chalicelib.instances.errors import InstanceChanged
from chalicelib.instances.model import InstanceRef

FIRST_RETRY = 0.5
LONGEST_RETRY = 15.0


class Seats:
    """Renews and gives back the seats of one instance.

    ``sessions`` returns the sessions that have a place in a worker. ``on_changed`` is called when
    the row no longer belongs to this instance.
    """

    def __init__(
        self,
        ref: InstanceRef,
        sessions: Callable[[], Iterable[str]],
        on_changed: Callable[[], None],
        clock: Clock = wall_clock,
        renew_every: float = lease.RENEW_EVERY,
    ) -> None:
        self._ref = ref
        self._sessions = sessions
        self._on_changed = on_changed
        self._clock = clock
        self._renew_every = renew_every
        self._ended: dict[str, None] = {}
        self._kick = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def give_back(self, session_id: str) -> None:
        """Give back the seat of a session that has ended, as soon as the table takes it."""
        self._ended[session_id] = None
        self._empty.clear()
        self._kick.set()

    async def settled(self) -> None:
        """Wait until every ended session's seat has been given back."""
        await self._empty.wait()

    async def run(self) -> None:
        """Renew leases and give back seats, until cancelled."""
        loop = asyncio.get_running_loop()
        renewal = loop.time() + self._renew_every
        retry = FIRST_RETRY
        while True:
            self._kick.clear()
            if await self._give_all_back():
                retry = FIRST_RETRY
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._kick.wait(), max(0.0, renewal - loop.time()))
            else:
                await asyncio.sleep(retry)
                retry = min(retry * 2, LONGEST_RETRY)
            if loop.time() >= renewal:
                renewal = loop.time() + self._renew_every
                await self._renew()

    async def _give_all_back(self) -> bool:
        while self._ended:
            session_id = next(iter(self._ended))
            try:
                held = await asyncio.to_thread(store.give_back, self._ref, session_id)
            except Exception as error:  # any error of the table's client: the seat must go back
                logger.warning(
                    f"a seat was not given back yet: {error}", extra={"session": session_id}
                )
                return False
            del self._ended[session_id]
            logger.info(
                "seat given back" if held else "seat was not held any more",
                extra={"session": session_id},
            )
        self._empty.set()
        return True

    async def _renew(self) -> None:
        leases = lease.renewed(
            (session for session in self._sessions() if session not in self._ended), self._clock()
        )
        try:
            await asyncio.to_thread(store.renew, self._ref, leases)
        except InstanceChanged as error:
            logger.error(str(error))
            self._on_changed()
        except Exception as error:  # one renewal may fail before a lease ends
            logger.warning(f"leases were not renewed: {error}")
