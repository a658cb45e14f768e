"""A fresh R for a worker, or a Python for an app in Python: a process of its own from the start."""

import asyncio
import contextlib
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

from agent import command, private, python_app
from agent.command import WorkerSpec
from agent.failure import AppStartFailed
from agent.r_process import READ_SIZE, RProcess


async def start(spec: WorkerSpec, folder: Path, mark: str) -> RProcess:
    """Start it; a :data:`agent.r_process.Starter`."""
    if (why := await asyncio.to_thread(command.missing, spec)) is not None:
        raise AppStartFailed("A program that the app's settings name is not there.", why)
    if spec.entrypoint is None:
        script = await asyncio.to_thread(private.put_scripts, folder, spec.unix_id)
        line, environment = command.command(spec, script), command.environment(spec, folder)
    else:
        script = await asyncio.to_thread(private.put_scripts, folder, spec.unix_id, python_app.SCRIPTS)
        line, environment = python_app.command(spec, script), python_app.environment(spec, folder)
    process = await asyncio.create_subprocess_exec(
        *line,
        env=environment,
        cwd=spec.directory,
        stdin=PIPE,
        stdout=PIPE,
        stderr=STDOUT,
        limit=READ_SIZE,
        start_new_session=True,
    )
    assert process.stdin is not None
    with contextlib.suppress(ConnectionError):  # it ended at once; its exit is what counts
        process.stdin.write(command.parameters(spec, folder, mark))
        process.stdin.close()
    return process
