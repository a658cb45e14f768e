"""``python -m infra.local``: the local stack in the foreground, until Ctrl-C or SIGTERM."""

import sys
from dataclasses import replace
from typing import Any

import uvloop

from infra.declared import DECLARED, Declared
from infra.emulator.console import Console
from infra.emulator.errors import EmulatorError
from infra.local.settings import LocalSettings
from infra.local.stack import Stack

READY = "ready"
"""Printed to standard output when everything runs, on a line with the endpoint."""


async def run(settings: LocalSettings, declared: Declared, app: str) -> None:
    """Run the stack until a signal."""
    async with Stack(settings, declared, app=app, in_foreground=True) as stack:
        sys.stdout.write(f"{READY} {settings.endpoint}\n")
        sys.stdout.flush()
        await stack.stopped()


def serve(declared: Declared = DECLARED, app: str = "sheen", **settings: Any) -> int:
    """Run the stack and return the exit code.

    ``settings`` override those of the environment.
    """
    try:
        uvloop.run(run(replace(LocalSettings.from_environment(), **settings), declared, app))
    except EmulatorError as error:
        Console().fail(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(serve())
