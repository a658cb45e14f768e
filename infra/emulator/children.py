"""Start and stop the processes of the stack, none of which outlives the stack.

Each process has a session of its own. ``setpriv --pdeathsig`` makes the kernel signal the child
when the stack dies, for whatever reason. A task's init (task_init.py) turns that signal into the
end of everything that the task started.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

HANGUP = signal.SIGHUP
"""The signal on which a task's init kills everything at once."""


async def start(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    cwd: Path | None = None,
    output: int | IO[bytes] | None = None,
    stdin: int = asyncio.subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = None,
    death_signal: str = "KILL",
) -> asyncio.subprocess.Process:
    """Start ``argv`` as the leader of a session of its own, with exactly ``environment``.

    ``output`` takes both standard streams unless ``stdout`` is given. The child gets
    ``death_signal`` when the stack dies.
    """
    return await asyncio.create_subprocess_exec(
        "/usr/bin/setpriv",
        "--pdeathsig",
        death_signal,
        "--",
        *argv,
        env=dict(environment),
        cwd=cwd,
        stdin=stdin,
        stdout=output if stdout is None else stdout,
        stderr=output,
        start_new_session=True,
    )


def signal_group(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Send a signal to the child and everything in its process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


async def stop(process: asyncio.subprocess.Process, patience: float) -> None:
    """Send SIGTERM, and after ``patience`` seconds SIGKILL to the whole group."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), patience)
    signal_group(process, signal.SIGKILL)
    await process.wait()
