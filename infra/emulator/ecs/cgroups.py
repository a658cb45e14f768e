"""A control group for each task, which limits memory and processes as on Fargate.

The limits come from the task's definition. Control groups need version 2 of Linux's, and the right
to make some below this process's own, as root or a delegated systemd scope has it. Without them,
tasks share the machine's memory.
"""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

PROCESSES = 4096
"""Limit of one task."""
_ROOT = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")
_OWN = "emulator"
_CONTROLLERS = ("memory", "pids")
_WAY_OUT = "systemd-run --scope -p Delegate=yes COMMAND runs COMMAND in one of its own"
_ENTER = 'echo $$ > "$0" && exec "$@"'


class TaskGroup:
    """The control group of one task."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def command(self, argv: Sequence[str]) -> list[str]:
        """Return a command that runs ``argv`` and everything that it starts in the group."""
        return ["/bin/sh", "-c", _ENTER, str(self._folder / "cgroup.procs"), *argv]

    def end(self) -> None:
        """Kill everything in the group at once, and remove the group."""
        with contextlib.suppress(OSError):
            (self._folder / "cgroup.kill").write_text("1")
        # Killed processes may still exist. A folder that remains does no harm.
        with contextlib.suppress(OSError):
            self._folder.rmdir()


class ControlGroups:
    """Makes control groups in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, task_id: str, memory_mb: int) -> TaskGroup:
        """Make the group of a task; raise :class:`OSError`."""
        group = self._folder / f"task-{task_id}"
        group.mkdir()
        (group / "memory.max").write_text(str(memory_mb * 1024**2))
        with contextlib.suppress(OSError):  # a kernel without swap has no such file
            (group / "memory.swap.max").write_text("0")
        (group / "pids.max").write_text(str(PROCESSES))
        return TaskGroup(group)


def find(root: Path = _ROOT, membership: Path = _MEMBERSHIP) -> ControlGroups | str:
    """Return a maker of control groups, or the reason why there can be none.

    This process moves into a group of its own, because only then can its present group have others.
    """
    try:
        own = next(
            (line[3:] for line in membership.read_text().splitlines() if line.startswith("0::")),
            None,
        )
        if own is None:
            return "this machine has no control groups of version 2"
        folder = root / own.strip("/")
        available = (folder / "cgroup.controllers").read_text().split()
        lacking = [name for name in _CONTROLLERS if name not in available]
        if lacking:
            return f"the control group {folder} has no controller for {' and '.join(lacking)}"
        # Only the root group may have both processes and groups with limits.
        if (folder / "cgroup.type").exists():
            others = set((folder / "cgroup.procs").read_text().split()) - {str(os.getpid())}
            if others:
                return f"other processes are in the control group {folder}; {_WAY_OUT}"
            mine = folder / _OWN
            mine.mkdir(exist_ok=True)
            (mine / "cgroup.procs").write_text(str(os.getpid()))
        (folder / "cgroup.subtree_control").write_text(
            " ".join(f"+{name}" for name in _CONTROLLERS)
        )
    except OSError as error:
        return f"no control groups can be made ({error.strerror}: {error.filename}); {_WAY_OUT}"
    return ControlGroups(folder)
