"""What a worker needs of R's process, however it was started."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from agent.processes.command import WorkerSpec

LOOK_EVERY = 0.1
"""Seconds between looks whether a process has ended, where the kernel does not tell."""
READ_SIZE = 16 * 1024
"""Bytes of R's output that are read at once."""


class RProcess(Protocol):
    """A child of this process that runs R."""

    @property
    def pid(self) -> int:
        """The process id."""

    @property
    def returncode(self) -> int | None:
        """How it ended (negative: by that signal), once :meth:`wait` knows."""

    @property
    def stdout(self) -> asyncio.StreamReader | None:
        """Its stdout and stderr, which are one stream."""

    async def wait(self) -> int:
        """Wait for its end, and reap it."""


Starter = Callable[[WorkerSpec, Path, str], Awaitable[RProcess]]
"""Starts R for a spec, with its private folder (:mod:`agent.processes.private`) and the mark of its phases (:mod:`agent.processes.output`).

Raises :class:`OSError` or :class:`agent.failure.AppStartFailed`.
"""


async def end_of(pid: int) -> None:
    """Wait until process ``pid``, a child of this one, has ended, whoever may still hold its pipes."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return  # it ended already, and was reaped
    except OSError:  # a kernel or a container without it (ENOSYS, EPERM)
        while not _has_ended(pid):  # noqa: ASYNC110  (nothing tells of it)
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
    """Whether a process is gone, or waits to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"
