"""``python -m agent``: an ECS task's program.

Loading R takes about as long as importing the agent, so it comes first and runs meanwhile; what it needs is quickly imported.
"""

import os
import sys

from agent.processes import process
from agent.processes.preloaded import NoFork, Preloaded


def main() -> int:
    """Shield this process, have an R loaded, and lead the task's life; return the exit status."""
    process.shield()
    process.open_temporary_folder()
    if os.environ.get("SHEEN_INSTANCE", "").startswith("spare."):
        process.give_way()
    preloaded: Preloaded | NoFork
    try:
        preloaded = Preloaded()
    except NoFork as error:
        preloaded = error
    from agent.life import task

    return task.main(preloaded)


if __name__ == "__main__":
    sys.exit(main())
