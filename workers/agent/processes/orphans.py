"""Processes that R started and left behind.

R's process group is killed as a whole; what has put itself into another session comes to the agent when its parent ends
(:func:`agent.processes.process.adopt_orphans`) and is found here, by what the kernel says about it.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from agent.processes.command import TMP

PATIENCE = 20.0
"""Seconds to end what a worker left."""
_ROUNDS = 20
_DYING = 0.2
"""Seconds in which a killed process is gone, unless it waits for a device."""
_NOBODY = -1
_ours: dict[int, int | None] = {}
"""Children that this process started itself and reaps: their users."""
_starting: list[int | None] = []
"""Users as which children are being started."""


@contextlib.contextmanager
def starting(unix_id: int | None) -> Iterator[Callable[[int], None]]:
    """A child is being started as that user; call what this gives with its process id."""
    _starting.append(unix_id)
    try:
        yield lambda pid: _ours.__setitem__(pid, unix_id)
    finally:
        _starting.remove(unix_id)


def reaped(pid: int) -> None:
    """That child has ended, and its exit status was read."""
    _ours.pop(pid, None)


def end(pid: int | None, unix_id: int | None, private: Path) -> int:
    """Kill and reap what the worker ``pid`` left below this process; return how many processes there were.

    They are known by the worker's private folder in their environment, and by its user as well when no other worker has that: who
    ends last clears up for all. When all that the user has on this machine is below this process, the kernel kills it at once, for
    what forks on and on runs from a search. Otherwise all are stopped first, again until no new one is found. Raise
    :class:`TimeoutError` when some are there after :data:`PATIENCE` seconds.
    """
    if pid in _ours:
        _ours[pid] = _NOBODY
    if unix_id is not None and not _is_shared(unix_id) and not _is_elsewhere(unix_id):
        _kill_all_of(unix_id)
    until = time.monotonic() + PATIENCE
    ended: set[int] = set()
    while orphans := _left(unix_id, private):
        if time.monotonic() > until:
            raise TimeoutError(f"{len(orphans)} processes are there yet after {PATIENCE:g} s")
        ended |= orphans
        _freeze(orphans, unix_id, private)
        for orphan in orphans:
            _signal(orphan, signal.SIGKILL)
        _reap(orphans)
    return len(ended)


def _freeze(orphans: set[int], unix_id: int | None, private: Path) -> None:
    """Stop them, and all that they have forked meanwhile, which is added."""
    new = set(orphans)
    for _ in range(_ROUNDS):
        for orphan in new:
            _signal(orphan, signal.SIGSTOP)
        new = _left(unix_id, private) - orphans
        if not new:
            return
        orphans |= new


def _kill_all_of(unix_id: int) -> None:
    user = str(unix_id)
    line = ["/usr/bin/setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--", "/bin/sh", "-c", "kill -KILL -1"]
    subprocess.run(line, env={}, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=PATIENCE)


def _is_elsewhere(unix_id: int) -> bool:
    """Whether the user has processes that are not below this one: those of another instance of the app, on one machine."""
    parents = _parents()
    for pid in parents:
        if _is_of_user(pid, unix_id):
            while pid in parents and pid != os.getpid():
                pid = parents[pid]
            if pid == 0:  # one whose parent is just ending has none that is known
                return True
    return False


def _is_shared(unix_id: int | None) -> bool:
    return unix_id in _starting or unix_id in _ours.values()


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _reap(orphans: set[int]) -> None:
    """Wait for those that are children of this process, by now or by their parents' end, for a moment each."""
    for orphan in orphans:
        until = time.monotonic() + _DYING
        while time.monotonic() < until:
            try:
                if os.waitpid(orphan, os.WNOHANG)[0]:
                    break
            except ChildProcessError:
                break  # its parent is another of them, and reaped it or will come to it
            time.sleep(0.001)


def _left(unix_id: int | None, private: Path) -> set[int]:
    # First who is there, then whose they are: what is started meanwhile is not among them.
    below = _below(os.getpid(), set(_ours))
    user = None if _is_shared(unix_id) else unix_id
    found: set[int] = set()
    for pid, parent in below:  # parents come before their children
        if parent in found or _is_of(pid, user, private):
            found.add(pid)
    return found


def _below(root: int, ours: set[int]) -> list[tuple[int, int]]:
    """Return the processes below ``root`` with their parents, each after its own; those in ``ours``, with all below them, are left out."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents().items():
        children.setdefault(parent, []).append(pid)
    found: list[tuple[int, int]] = []
    front = [root]
    while front:
        parent = front.pop()
        new = [pid for pid in children.get(parent, ()) if pid not in ours]
        found += [(pid, parent) for pid in new]
        front += new
    return found


def _parents() -> dict[int, int]:
    """Return all processes, each with its parent."""
    found: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it ended meanwhile
                found[int(entry.name)] = int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    return found


def _is_of(pid: int, unix_id: int | None, private: Path) -> bool:
    if unix_id is not None and _is_of_user(pid, unix_id):
        return True
    try:
        return f"TMPDIR={private / TMP}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _is_of_user(pid: int, unix_id: int) -> bool:
    # Not by the owner of its folder in /proc: that is root when the process has made itself undumpable.
    try:
        return f"Uid:\t{unix_id}\t" in Path(f"/proc/{pid}/status").read_text(errors="replace")
    except OSError:
        return False
