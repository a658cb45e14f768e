"""Processes that R started and left behind.

R's process group is killed as a whole. A process that has moved to another session becomes a child
of the agent when its parent ends (:func:`machine.process.adopt_orphans`). This module finds
it by what the kernel says about it.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from agent.processes.command import TMP
from machine import unprivileged

PATIENCE = 20.0
"""Seconds to end what a worker left."""
_ROUNDS = 20
_DYING = 0.2
"""Seconds in which a killed process is gone, unless it waits for a device."""
_NOBODY = -1
_ours: dict[int, int | None] = {}
"""Children that this process started itself and reaps, with their users."""
_starting: list[int | None] = []
"""Users as which children are being started."""


@contextlib.contextmanager
def starting(unix_id: int | None) -> Iterator[Callable[[int], None]]:
    """Note that a child is being started as this user.

    The caller must call the yielded function with the child's process id.
    """
    _starting.append(unix_id)
    try:
        yield lambda pid: _ours.__setitem__(pid, unix_id)
    finally:
        _starting.remove(unix_id)


def reaped(pid: int) -> None:
    """Note that this child has ended, and that its exit status was read."""
    _ours.pop(pid, None)


def end(pid: int | None, unix_id: int | None, private: Path, *, own_user: bool = True) -> int:
    """Kill and reap what the worker ``pid`` left below this process; return how many there were.

    The processes are known by the worker's private folder in their environment. They are also known
    by the worker's user, unless another worker has the same user; the last such worker to end then
    clears up for all.

    If all processes of the user on this machine are below this process, the kernel kills them at
    once, because a process that keeps forking escapes a search. Otherwise all are stopped first,
    repeatedly until no new one is found.

    Without ``own_user``, people may be logged in as the same user, so only what is below this
    process is ended, never all of the user's processes.

    Raise :class:`TimeoutError` if some still exist after :data:`PATIENCE` seconds.
    """
    if pid in _ours:
        _ours[pid] = _NOBODY
    if own_user and unix_id is not None and not _is_shared(unix_id) and not _is_elsewhere(unix_id):
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
    """Stop these processes and all that they have forked meanwhile; add the latter to the set."""
    new = set(orphans)
    for _ in range(_ROUNDS):
        for orphan in new:
            _signal(orphan, signal.SIGSTOP)
        new = _left(unix_id, private) - orphans
        if not new:
            return
        orphans |= new


def _kill_all_of(unix_id: int) -> None:
    subprocess.run(
        unprivileged.kill_all_of(unix_id),
        env={},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )


def _is_elsewhere(unix_id: int) -> bool:
    """Return whether the user has processes that are not below this one.

    Those belong to another instance of the app on the same machine.
    """
    parents = _parents()
    for pid in parents:
        if _is_of_user(pid, unix_id):
            while pid in parents and pid != os.getpid():
                pid = parents[pid]
            if pid == 0:  # a process whose parent is just ending has no known parent
                return True
    return False


def _is_shared(unix_id: int | None) -> bool:
    return unix_id in _starting or unix_id in _ours.values()


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _reap(orphans: set[int]) -> None:
    """Wait briefly for each process that is a child of this one, and reap it.

    A process also becomes a child of this one when its parent ends.
    """
    for orphan in orphans:
        until = time.monotonic() + _DYING
        while time.monotonic() < until:
            try:
                if os.waitpid(orphan, os.WNOHANG)[0]:
                    break
            except ChildProcessError:
                # Its parent is another of these processes, and has reaped it or will do so.
                break
            time.sleep(0.001)


def _left(unix_id: int | None, private: Path) -> set[int]:
    # List the processes first, then find out whose they are. Processes that start meanwhile are not
    # among them.
    below = _below(os.getpid(), set(_ours))
    user = None if _is_shared(unix_id) else unix_id
    found: set[int] = set()
    for pid, parent in below:  # parents come before their children
        if parent in found or _is_of(pid, user, private):
            found.add(pid)
    return found


def _below(root: int, ours: set[int]) -> list[tuple[int, int]]:
    """Return the processes below ``root``, each with its parent and after it.

    Those in ``ours`` are left out, with everything below them.
    """
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
                found[int(entry.name)] = int(
                    (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]
                )
    return found


def _is_of(pid: int, unix_id: int | None, private: Path) -> bool:
    if unix_id is not None and _is_of_user(pid, unix_id):
        return True
    try:
        return f"TMPDIR={private / TMP}".encode() in Path(
            f"/proc/{pid}/environ"
        ).read_bytes().split(b"\0")
    except OSError:
        return False


def _is_of_user(pid: int, unix_id: int) -> bool:
    # The owner of its folder in /proc is no proof: that is root if the process has made itself
    # undumpable.
    try:
        return f"Uid:\t{unix_id}\t" in Path(f"/proc/{pid}/status").read_text(errors="replace")
    except OSError:
        return False
