"""``sheen local``: run Sheen on this machine, with the examples published."""

import asyncio
import os
from pathlib import Path

from chalicelib.errors import Broken, SheenError
from sheen import deployment
from sheen.console import progress, say
from sheen.publish import is_published, publish

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


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


async def run() -> None:
    """Start the local stack, publish the examples, and run until a signal stops it.

    Raise :class:`NotRunning` if it cannot start, or if a part of it ends.
    """
    from infra.emulator.errors import EmulatorError
    from infra.local.stack import Stack

    try:
        async with Stack.from_environment() as stack:
            os.environ.update(stack.environment())
            say("Apps:")
            await asyncio.to_thread(publish_examples)
            say("All apps: " + deployment.url_of("/"))
            say("Ctrl-C stops everything. What was published stays.")
            await stack.stopped()
    except EmulatorError as error:
        raise NotRunning(str(error)) from None
