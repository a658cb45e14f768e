"""An app that runs in place, in a folder of a configuration.

The folder is its author's: its files change at any time, or it is gone. So the agent only looks at
it with the rights of the app's user (:mod:`agent.looking`).
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from agent import looking
from agent.failure import AppStartFailed
from agent.looking import Look, NotSeen
from machine.account import Account
from machine.untrusted import Usage

FRESH = 0.25
"""Seconds for which a look is used again."""


class InPlace:
    """The folder of one app; an :class:`agent.processes.app_folder.AppFolder`."""

    def __init__(
        self, path: Path, account: Account, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._account = account
        self._clock = clock
        self._looking = asyncio.Lock()
        self._looked_at = -FRESH
        self.look: Look | None = None
        """What was seen last; None before the first look, or if the folder is gone."""
        self.first: Look | None = None
        """What the first worker's start saw."""

    @property
    def version(self) -> Path:
        return self._path

    @property
    def path(self) -> Path:
        return self._path

    def begin(self) -> asyncio.Task[None]:
        return asyncio.create_task(self.made(), name="look at the app's folder")

    async def made(self) -> None:
        """Look at the folder; raise :class:`AppStartFailed` if it cannot be seen."""
        try:
            seen = await self.looked(again=True)
        except NotSeen as error:
            raise AppStartFailed(
                "The app's folder cannot be read.", f"{self._path}: {error}"
            ) from None
        self.first = self.first or seen

    async def looked(self, *, again: bool = False) -> Look:
        """Return what is in the folder now; raise :class:`NotSeen`.

        Unless ``again``, a look of a moment ago is used.
        """
        async with self._looking:
            if again or self.look is None or self._clock() - self._looked_at >= FRESH:
                self.look = None
                self.look = await asyncio.to_thread(looking.seen_by, self._account, self._path)
                self._looked_at = self._clock()
            return self.look

    def usage(self) -> Usage:
        """Return nothing: the folder is its author's, and takes nothing of the instance's disk."""
        return Usage(0, 0, complete=True)

    def forget(self) -> None:
        """Do nothing: it is looked at before each start."""

    async def remove(self) -> None:
        """Do nothing: nothing was made."""
