"""A fresh R for a worker: a process of its own from the start."""

import asyncio
import contextlib
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

from agent import command, private
from agent.command import WorkerSpec
from agent.r_process import READ_SIZE, RProcess


async def start(spec: WorkerSpec, folder: Path, mark: str) -> RProcess:
    """Start R; a :data:`agent.r_process.Starter`."""
    script = await asyncio.to_thread(private.put_scripts, folder, spec.unix_id)
    process = await asyncio.create_subprocess_exec(
        *command.command(script, spec.unix_id, spec.groups),
        env=command.environment(spec, folder),
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
