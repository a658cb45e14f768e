"""``sheen local``: run Sheen on this machine, with the examples published or by a configuration."""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from chalicelib.configuration.shiny_server_conf.reading import LONGEST, read
from chalicelib.errors import Broken, SheenError
from sheen import config, deployment
from sheen.console import progress, say
from sheen.publish import is_published, publish

if TYPE_CHECKING:
    from infra.local.configured import ConfiguredMachine
    from infra.local.stack import Stack

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
_LONGEST_CHARACTER = 4
"""Bytes of a character in UTF-8."""


def publish_examples() -> None:
    """Publish each folder of ``examples/`` whose content is not active yet, and show its URL."""
    settings = deployment.use()
    folders = sorted(path for path in EXAMPLES.iterdir() if path.is_dir())
    for folder in folders:
        location = f"/{folder.name}"
        try:
            if not is_published(folder, location):
                publish(settings, folder, location, progress)
        except SheenError as error:
            progress(f"{location}: {error}")
            continue
        say(f"  {deployment.url_of(location)}")


class NotRunning(Broken):
    """The local stack cannot start or go on; the message says what to do."""


async def run(file: Path | None = None) -> int:
    """Start the local stack and run until a signal stops it; return the exit status.

    With a ``file``, a ``shiny-server.conf``, this machine serves what it says, and reads it again
    at SIGHUP. Otherwise the examples are published. Raise :class:`NotRunning` if the stack cannot
    start, or if a part of it ends.
    """
    from infra.emulator.errors import EmulatorError
    from infra.local.stack import Stack

    try:
        stack = Stack.from_environment()
        machine = _machine(file, stack) if file is not None else None
        if file is not None and machine is None:
            return 1
        async with stack:
            os.environ.update(stack.environment())
            if file is not None and machine is not None:
                return await _serve(stack, file, machine)
            say("Apps:")
            await asyncio.to_thread(publish_examples)
            say("All apps: " + deployment.url_of("/"))
            say("Ctrl-C stops everything. What was published stays.")
            await stack.stopped()
    except EmulatorError as error:
        raise NotRunning(str(error)) from None
    return 0


def _machine(file: Path, stack: "Stack") -> "ConfiguredMachine | None":
    """Read a configuration; show what is wrong and return None, or what it wants of this machine.

    Raise :class:`OSError` if there is no such file.
    """
    from infra.local import configured

    with file.open("rb") as opened:
        content = opened.read((LONGEST + 1) * _LONGEST_CHARACTER)
    reading = read(content.decode(errors="replace"), str(file))
    errors, machine = list(reading.errors), None
    if reading.configuration is not None:
        machine, found = configured.find(reading.configuration, configured.owners(stack.settings))
        errors += found
    for error in errors:
        progress(str(error))
    if errors:
        number = len(errors)
        progress(f"sheen: {file}: {number} error{'' if number == 1 else 's'}; nothing is used")
    return machine


async def _serve(stack: "Stack", file: Path, machine: "ConfiguredMachine") -> int:
    """Serve by a configuration until the stack ends; return the exit status."""
    again = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, again.set)
    if not await _apply(stack, file, machine):
        return 1
    for listener in machine.listeners:
        say(f"  {listener.url}")
    say("Ctrl-C stops everything; kill -HUP reads the file again.")
    reading = asyncio.create_task(_read_again(stack, file, again), name="SIGHUP")
    try:
        await stack.stopped()
    finally:
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
    return 0


async def _read_again(stack: "Stack", file: Path, again: asyncio.Event) -> None:
    """Follow the file at each signal; what is wrong with it changes nothing."""
    from infra.emulator.errors import EmulatorError

    while True:
        await again.wait()
        again.clear()
        progress(f"sheen: {file} is read again")
        try:
            machine = _machine(file, stack)
            if machine is not None:
                await _apply(stack, file, machine)
        except (EmulatorError, SheenError, OSError) as error:
            progress(f"sheen: {error}; what held before goes on")


async def _apply(stack: "Stack", file: Path, machine: "ConfiguredMachine") -> bool:
    """Serve as a configuration says; return whether it was applied."""
    await stack.take(machine)
    return await asyncio.to_thread(config.apply, deployment.use(), file) == 0
