"""``restart.txt`` in the folder of an app in place: a change of its time restarts the app."""

import asyncio
from collections.abc import Awaitable, Callable

from agent.log import logger
from agent.looking import NotSeen
from agent.processes.in_place import InPlace


class RestartFile:
    """Looks at the file when a session is about to open.

    After a change, new sessions get new workers, and the old ones go on with theirs.
    """

    def __init__(self, folder: InPlace, restart: Callable[[], Awaitable[object]]) -> None:
        self._folder = folder
        self._restart = restart
        self._restarted: list[int | None] = []
        """The time of the file at the last restart; empty before the first look."""
        self._lock = asyncio.Lock()

    async def look(self) -> None:
        """Restart if the file has changed; a folder that is gone is the next start's failure."""
        async with self._lock:
            try:
                now = (await self._folder.looked()).restarted
            except NotSeen as error:
                logger.warning(f"the app's folder cannot be read: {error}")
                return
            first = self._folder.first
            known = self._restarted or [first.restarted if first is not None else now]
            self._restarted = [now]
            if now is not None and [now] != known:
                logger.info("restart.txt has changed")
                await self._restart()
