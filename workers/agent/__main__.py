"""``python -m agent``: the program of an ECS task.

Loading R takes about as long as importing the agent. So R starts first and loads meanwhile; what
that needs is imported quickly.
"""

import os
import sys

from agent.processes.preloaded import NoFork, PreloadedProcess
from machine import process


def main() -> int:
    """Shield this process, start an R, and lead the task's life; return the exit status."""
    process.shield()
    process.open_temporary_folder()
    if os.environ.get("SHEEN_INSTANCE", "").startswith("spare."):
        process.give_way()
    preloaded: PreloadedProcess | NoFork
    try:
        preloaded = PreloadedProcess()
    except NoFork as error:
        preloaded = error
    from agent.life import task

    return task.main(preloaded)


if __name__ == "__main__":
    sys.exit(main())
