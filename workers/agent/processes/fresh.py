"""A fresh process for a worker: one that is not forked."""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

from agent.failure import AppStartFailed
from agent.processes import command
from agent.processes.command import WorkerSpec
from agent.processes.r_process import READ_SIZE, RProcess
from machine import begin


async def start(spec: WorkerSpec, folder: Path, mark: str) -> RProcess:
    """Start the process; a :data:`agent.processes.r_process.Starter`."""
    if (why := await asyncio.to_thread(command.missing, spec)) is not None:
        raise AppStartFailed("A program that the app's settings name is not there.", why)
    # The app's user may not be able to reach the folder in which the interpreter is installed.
    interpreter = os.open(sys.executable, os.O_RDONLY | os.O_CLOEXEC)
    try:
        process = await asyncio.create_subprocess_exec(
            *spec.runtime.command(spec, folder, interpreter),
            # This environment is for root's programs. The app's own follows when no privileges are
            # left.
            env={},
            # A folder in place is entered as the app's user, by machine.begin.
            cwd=spec.directory if spec.account is None else "/",
            pass_fds=(interpreter, *command.passed(spec)),
            stdin=PIPE,
            stdout=PIPE,
            stderr=STDOUT,
            limit=READ_SIZE,
            start_new_session=True,
        )
    finally:
        os.close(interpreter)
    assert process.stdin is not None
    with contextlib.suppress(ConnectionError):  # it ended at once; its exit status counts
        process.stdin.write(begin.variables(spec.runtime.environment(spec, folder)))
        process.stdin.write(command.parameters(spec, folder, mark))
        process.stdin.close()
    return process
