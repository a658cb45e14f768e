"""What a worker needs of R's process, however it was started."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from agent.processes.command import WorkerSpec

LOOK_EVERY = 0.1
"""Seconds between checks whether a process has ended, where the kernel does not notify."""
READ_SIZE = 16 * 1024
"""Bytes of R's output that are read at once."""


class RProcess(Protocol):
    """A child of this process that runs R."""

    @property
    def pid(self) -> int:
        """The process id."""

    @property
    def returncode(self) -> int | None:
        """The exit status (negative: the signal that ended it), once :meth:`wait` knows it."""

    @property
    def stdout(self) -> asyncio.StreamReader | None:
        """The process's stdout and stderr, which are one stream."""

    async def wait(self) -> int:
        """Wait for the process to end, and reap it."""


Starter = Callable[[WorkerSpec, Path, str], Awaitable[RProcess]]
"""Starts R for a spec, with its private folder and the mark of its phases.

See :mod:`agent.processes.private` and :mod:`agent.processes.output`. Raises :class:`OSError` or
:class:`agent.failure.AppStartFailed`.
"""


async def end_of(pid: int) -> None:
    """Wait until process ``pid``, a child of this one, has ended.

    It does not matter whether other processes still hold its pipes.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return  # it ended already, and was reaped
    except OSError:  # a kernel or a container without pidfds (ENOSYS, EPERM)
        while not _has_ended(pid):  # noqa: ASYNC110  (there is no notification)
            await asyncio.sleep(LOOK_EVERY)
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _has_ended(pid: int) -> bool:
    """Return whether a process is gone, or waits to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"
