"""How every process of the stack is started and ended: in a session of its own, and never outliving the stack.

``setpriv --pdeathsig`` has the kernel signal the child when the stack dies, however it dies; a task's init (task_init.py)
turns that signal into the end of everything that the task started.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

HANGUP = signal.SIGHUP
"""What makes a task's init kill everything at once."""


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
    """Start ``argv`` as the leader of a session of its own.

    ``output`` takes both standard streams unless ``stdout`` is given. The environment is exactly ``environment``.
    ``death_signal`` is what the child gets when the stack dies.
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
    """Send a signal to the child and all that is still in its process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


async def stop(process: asyncio.subprocess.Process, patience: float) -> None:
    """SIGTERM, and SIGKILL to the whole group after ``patience`` seconds."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), patience)
    signal_group(process, signal.SIGKILL)
    await process.wait()
