"""Ends the sessions of logins that have ended, and keeps logins alive whose sessions are open.

A function tells the agent when somebody signs out or is locked out. In case it was not told, and
for logins that expire, it looks at their rows from time to time.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping

from agent.log import logger
from chalicelib.aws.tables import read_together
from chalicelib.clock import Clock, wall_clock
from chalicelib.identity import logins
from chalicelib.identity.model import Login
from relay.errors import Ending, SignedOut

LOOK_EVERY = 30.0
"""Seconds between two looks at the rows of logins; without such sessions nothing is read."""
_TOGETHER = 100


class Logins:
    """The logins of an instance's sessions.

    ``known`` returns the logins by session. ``end`` ends sessions.
    """

    def __init__(
        self,
        known: Callable[[], Mapping[str, str]],
        end: Callable[[Iterable[str], Ending], None],
        clock: Clock = wall_clock,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self._known = known
        self._end = end
        self._clock = clock
        self._look_every = look_every

    async def run(self) -> None:
        """Look at regular intervals, until cancelled."""
        while True:
            await asyncio.sleep(self._look_every)
            try:
                await self.look()
            except Exception as error:  # the next look may succeed
                logger.warning(f"nobody could look which logins have ended: {error}")

    async def look(self) -> None:
        """End the sessions of logins that have ended; note that the others are in use."""
        login_ids = sorted(set(self._known().values()))
        if login_ids:
            self.ended(await asyncio.to_thread(over, login_ids, self._clock()))

    def ended(self, login_ids: Collection[str]) -> int:
        """End the sessions of these logins; return how many there are."""
        theirs = [session for session, login in self._known().items() if login in login_ids]
        if theirs:
            self._end(theirs, SignedOut().ending)
            logger.info("signed out: sessions end", extra={"sessions": len(theirs)})
        return len(theirs)


def over(login_ids: list[str], now: float) -> set[str]:
    """Return which of these logins have ended; note of the others that they are in use."""
    living = set()
    for at in range(0, len(login_ids), _TOGETHER):
        some = [(login_id,) for login_id in login_ids[at : at + _TOGETHER]]
        for row in read_together({Login: some}, consistent=True):
            if isinstance(row, Login) and not row.life.is_over(now):
                logins.use(row, now)
                living.add(str(row.id))
    return set(login_ids) - living
