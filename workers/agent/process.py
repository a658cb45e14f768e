"""How the agent's own process keeps its secrets from the app's code, and its orphans to itself."""

import ctypes
import os
import resource

_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36


def shield() -> None:
    """Close ``/proc/<agent>`` to every other process without CAP_SYS_PTRACE, and forbid core dumps.

    ``/proc/<pid>/environ``, ``mem`` and ``fd`` of the agent hold the task role (FACTS E3). Where the agent is root, R's own
    user keeps it out already; where both are the same user, this does.
    """
    _prctl(_PR_SET_DUMPABLE, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def adopt_orphans() -> None:
    """Make what R leaves behind a child of the agent, so that it can be found and ended (:func:`agent.orphans.end`)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def is_root() -> bool:
    """Whether R can run as a user of its own."""
    return os.geteuid() == 0


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl({option}, {value}): {os.strerror(error)}")
