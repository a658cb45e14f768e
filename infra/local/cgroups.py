"""A control group for each task, as Fargate has one: memory and processes as the task's definition says.

It takes version 2 of Linux's control groups, and the right to make some below this process's own, as root or a delegated systemd scope
has it. Where there is none, tasks share the machine's memory.
"""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from infra.declared import TaskDefinition

PROCESSES = 4096
"""Of one task."""
_ROOT = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")
_OWN = "sheen-stack"
_CONTROLLERS = ("memory", "pids")
_WAY_OUT = "systemd-run --scope -p Delegate=yes sheen local has one of its own"
_ENTER = 'echo $$ > "$0" && exec "$@"'


class TaskGroup:
    """One task's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def command(self, argv: Sequence[str]) -> list[str]:
        """Return what runs ``argv`` in the group, with all that it starts."""
        return ["/bin/sh", "-c", _ENTER, str(self._folder / "cgroup.procs"), *argv]

    def end(self) -> None:
        """Kill all that is in it at once, and remove it."""
        with contextlib.suppress(OSError):
            (self._folder / "cgroup.kill").write_text("1")
        with contextlib.suppress(OSError):  # what has just been killed may be there yet: the folder has no weight
            self._folder.rmdir()


class ControlGroups:
    """Makes them, in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, task_id: str, definition: TaskDefinition) -> TaskGroup:
        """Make the group of a task. Raise :class:`OSError`."""
        group = self._folder / f"sheen-task-{task_id}"
        group.mkdir()
        (group / "memory.max").write_text(str(definition.memory_mb * 1024**2))
        with contextlib.suppress(OSError):  # a kernel without swap has no such file
            (group / "memory.swap.max").write_text("0")
        (group / "pids.max").write_text(str(PROCESSES))
        return TaskGroup(group)


def find(root: Path = _ROOT, membership: Path = _MEMBERSHIP) -> ControlGroups | str:
    """Return what makes groups, or why there is none. This process goes into a group of its own: no other way may it have any beside it."""
    try:
        own = next((line[3:] for line in membership.read_text().splitlines() if line.startswith("0::")), None)
        if own is None:
            return "this machine has no control groups of version 2"
        folder = root / own.strip("/")
        available = (folder / "cgroup.controllers").read_text().split()
        lacking = [name for name in _CONTROLLERS if name not in available]
        if lacking:
            return f"the control group {folder} has no controller for {' and '.join(lacking)}"
        if (folder / "cgroup.type").exists():  # not the root of all, which alone may have both processes and groups with limits
            others = set((folder / "cgroup.procs").read_text().split()) - {str(os.getpid())}
            if others:
                return f"other processes are in the control group {folder}; {_WAY_OUT}"
            mine = folder / _OWN
            mine.mkdir(exist_ok=True)
            (mine / "cgroup.procs").write_text(str(os.getpid()))
        (folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in _CONTROLLERS))
    except OSError as error:
        return f"no control groups can be made ({error.strerror}: {error.filename}); {_WAY_OUT}"
    return ControlGroups(folder)
