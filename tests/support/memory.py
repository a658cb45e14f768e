"""How much memory processes took at most."""

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path

MB = 1024 * 1024


def descendants(pid: int) -> list[int]:
    """Return the processes that ``pid`` started, and those that they started."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found, todo = [], [pid]
    while todo:
        mine = children.get(todo.pop(), [])
        found += mine
        todo += mine
    return found


def named(pids: Iterable[int], name: Callable[[str], str | None]) -> dict[int, str]:
    """Return the processes that have a name, by their command lines."""
    found = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            called = name(Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " "))
            if called:
                found[pid] = called
    return found


class Growth:
    """How many MB processes have grown at most since this was made (peak over resident then)."""

    def __init__(self, processes: dict[int, str]) -> None:
        self._names = processes
        self._before: dict[int, int] = {}
        for pid in processes:
            with contextlib.suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text("5")
                self._before[pid] = _field(pid, "VmRSS")

    def most(self) -> dict[str, float]:
        """Return the largest growth by name."""
        most: dict[str, float] = {}
        for pid, before in self._before.items():
            with contextlib.suppress(OSError):
                grown = (_field(pid, "VmHWM") - before) / MB
                most[self._names[pid]] = round(max(grown, most.get(self._names[pid], 0)), 1)
        return most


def _field(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0
