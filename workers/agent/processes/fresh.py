"""A fresh R for a worker, or a Python for an app in Python: a process of its own from the start."""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

from agent.failure import AppStartFailed
from agent.processes import command, python_app
from agent.processes.command import WorkerSpec
from agent.processes.r_process import READ_SIZE, RProcess
from machine import begin


async def start(spec: WorkerSpec, folder: Path, mark: str) -> RProcess:
    """Start it; a :data:`agent.processes.r_process.Starter`."""
    if (why := await asyncio.to_thread(command.missing, spec)) is not None:
        raise AppStartFailed("A program that the app's settings name is not there.", why)
    language = command if spec.entrypoint is None else python_app
    interpreter = os.open(sys.executable, os.O_RDONLY | os.O_CLOEXEC)  # which the app's user may not get to, where it is installed
    try:
        process = await asyncio.create_subprocess_exec(
            *language.command(spec, folder, interpreter),
            env={},  # of root's programs; the app's own comes when nothing is root's any more
            cwd=spec.directory,
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
    with contextlib.suppress(ConnectionError):  # it ended at once; its exit is what counts
        process.stdin.write(begin.variables(language.environment(spec, folder)))
        process.stdin.write(command.parameters(spec, folder, mark))
        process.stdin.close()
    return process
