"""Where an app's processes find its files: its own copy of its version, or a folder in place."""

import asyncio
from pathlib import Path
from typing import Protocol

from machine.untrusted import Usage


class AppFolder(Protocol):
    """The folder of an app on this instance."""

    @property
    def version(self) -> Path:
        """The version's own folder."""

    @property
    def path(self) -> Path:
        """The folder that is the processes' working directory."""

    def begin(self) -> asyncio.Task[None]:
        """Begin to make it ready, unless that has begun."""

    async def made(self) -> None:
        """Wait until it is ready; raise :class:`agent.failure.AppStartFailed` if it cannot be."""

    def usage(self) -> Usage:
        """Return how much of the instance's disk it takes; raise :class:`OSError`."""

    def forget(self) -> None:
        """Make it ready anew for the next worker; no worker is there any more."""

    async def remove(self) -> None:
        """Remove what was made; no worker may still exist."""
