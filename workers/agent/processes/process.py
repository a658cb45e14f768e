"""How the agent's own process keeps its secrets from the app's code, and its orphans to itself."""

import contextlib
import ctypes
import os
import resource
import stat
from pathlib import Path

_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_NICE = 10
_EVERYBODYS = 0o1777


def shield() -> None:
    """Close ``/proc/<agent>`` to every other process without CAP_SYS_PTRACE, and forbid core dumps.

    ``/proc/<pid>/environ``, ``mem`` and ``fd`` of the agent hold the task role (FACTS E3). Where the agent is root, R's own
    user keeps it out already; where both are the same user, this does.
    """
    _prctl(_PR_SET_DUMPABLE, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def adopt_orphans() -> None:
    """Make what R leaves behind a child of the agent, so that it can be found and ended (:func:`agent.processes.orphans.end`)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def open_temporary_folder(path: str = "/tmp") -> None:  # noqa: S108  (the container's own)
    """Let every user make files there, as R and its packages expect; a volume that a container is given may be root's alone."""
    if not is_root():
        return
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if stat.S_IMODE(os.fstat(folder).st_mode) != _EVERYBODYS:
            os.fchmod(folder, _EVERYBODYS)
    finally:
        os.close(folder)


def give_way() -> None:
    """Let others of this machine go first: nobody waits for this process, nor for what it starts."""
    if is_root():  # nobody else could take it back
        os.nice(_NICE)


def stop_giving_way(*children: int) -> None:
    """Somebody waits now, for this process and these children; Linux keeps the priority of each thread."""
    if not is_root():
        return
    for pid in (os.getpid(), *children):
        with contextlib.suppress(OSError):  # it ended meanwhile
            for task in Path(f"/proc/{pid}/task").iterdir():
                os.setpriority(os.PRIO_PROCESS, int(task.name), 0)


def is_root() -> bool:
    """Whether R can run as a user of its own."""
    return os.geteuid() == 0


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl({option}, {value}): {os.strerror(error)}")
