"""Tells whether the kernel killed a process because the task's memory ran out.

The source is the counter that the task's cgroup keeps.
"""

import re
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_COUNTER = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


class OomKills:
    """Counts the kills that no caller has been told of yet.

    In a container, the cgroup's files are at the root of the file system, whatever path
    ``/proc/self/cgroup`` names.
    """

    def __init__(self, root: Path = _ROOT, memberships: Path = Path("/proc/self/cgroup")) -> None:
        self._file = _counter_file(root, memberships)
        self._seen = self._read() or 0

    def one(self) -> bool | None:
        """Return whether there was a kill that no earlier call has reported.

        Return None if this machine does not say.
        """
        count = self._read()
        if count is None:
            return None
        if count <= self._seen:
            return False
        self._seen += 1
        return True

    def _read(self) -> int | None:
        if self._file is None:
            return None
        try:
            found = _COUNTER.search(self._file.read_text())
        except OSError:
            return None
        return int(found[1]) if found else None


def _counter_file(root: Path, memberships: Path) -> Path | None:
    try:
        lines = memberships.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        below = path.lstrip("/")
        if controllers == "":  # version 2
            candidates = (root / below / "memory.events", root / "memory.events")
        elif "memory" in controllers.split(","):
            candidates = (
                root / "memory" / below / "memory.oom_control",
                root / "memory" / "memory.oom_control",
            )
        else:
            continue
        for candidate in candidates:
            if candidate.is_file():
                return candidate
    return None
