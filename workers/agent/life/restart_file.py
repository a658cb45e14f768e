"""What in the folder of an app in place restarts it, when a session is about to open.

A change of the time of ``restart.txt`` does. A change of ``.shiny_app.conf`` does as soon as no
process is left, as in Shiny Server.
"""

import asyncio
from collections.abc import Awaitable, Callable

from agent.failure import AppStartFailed
from agent.log import logger
from agent.looking import NotSeen
from agent.processes.in_place import InPlace
from chalicelib.configuration.layers import APP_FILE
from chalicelib.errors import SheenError
from machine.look import RESTART


class RestartFile:
    """Looks at the file when a session is about to open.

    After a change, new sessions get new workers, and the old ones go on with theirs.
    """

    def __init__(
        self,
        folder: InPlace,
        restart: Callable[[], Awaitable[object]],
        app_file: Callable[[], str],
        sleeps: Callable[[], bool],
    ) -> None:
        """Look at ``folder``.

        ``app_file`` returns the ``.shiny_app.conf`` that counts now. ``sleeps`` says whether the
        app has no process.
        """
        self._folder = folder
        self._app_file = app_file
        self._sleeps = sleeps
        self._restart = restart
        self._restarted: list[int | None] = []
        """The time of the file at the last restart; empty before the first look."""
        self._lock = asyncio.Lock()

    async def look(self) -> None:
        """Restart if the file has changed; a folder that is gone is the next start's failure."""
        async with self._lock:
            try:
                seen = await self._folder.looked()
                now = seen.restarted
            except NotSeen as error:
                logger.warning(f"the app's folder cannot be read: {error}")
                return
            first = self._folder.first
            known = self._restarted or [first.restarted if first is not None else now]
            touched = now is not None and [now] != known
            if touched or (self._sleeps() and str(seen.app_file) != self._app_file()):
                logger.info(f"{RESTART if touched else APP_FILE} has changed")
                try:
                    await self._restart()
                except SheenError as error:
                    raise AppStartFailed(f"The app cannot be started: {error}") from None
            self._restarted = [now]
