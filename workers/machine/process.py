"""This process: closed to the code that it starts, and the parent of that code's orphans."""

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
    """Close ``/proc/<pid>`` of this process to others without CAP_SYS_PTRACE; forbid core dumps.

    Its ``environ``, ``mem`` and ``fd`` give access to the task role (FACTS E3). If this process is
    root, an app's own user cannot read them anyway. If both run as the same user, this protects
    them.
    """
    _prctl(_PR_SET_DUMPABLE, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def adopt_orphans() -> None:
    """Become the parent of what descendants leave behind, so that it can be ended."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def open_temporary_folder(path: str = "/tmp") -> None:  # noqa: S108  (the container's own)
    """Let every user make files in the folder, as R and its packages expect.

    A volume that a container gets may be open to root only.
    """
    if not is_root():
        return
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if stat.S_IMODE(os.fstat(folder).st_mode) != _EVERYBODYS:
            os.fchmod(folder, _EVERYBODYS)
    finally:
        os.close(folder)


def give_way() -> None:
    """Lower the priority of this process and its children, because nobody waits for them."""
    if is_root():  # only root could undo it
        os.nice(_NICE)


def stop_giving_way(*children: int) -> None:
    """Restore the priority of this process and these children, because a visitor waits now.

    Linux keeps a priority for each thread.
    """
    if not is_root():
        return
    for pid in (os.getpid(), *children):
        with contextlib.suppress(OSError):  # it ended meanwhile
            for task in Path(f"/proc/{pid}/task").iterdir():
                os.setpriority(os.PRIO_PROCESS, int(task.name), 0)


def is_root() -> bool:
    """Return whether what this process starts can have a user of its own."""
    return os.geteuid() == 0


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl({option}, {value}): {os.strerror(error)}")
