"""Processes that R started and left behind.

R's process group is killed as a whole; what has put itself into another session comes to the agent when its parent ends
(:func:`agent.process.adopt_orphans`) and is found here, by what the kernel says about it.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

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
    """Kill and reap the children of this process that the worker ``pid`` left; return how many there were.

    They are known by the worker's private folder in their environment, and by its user as well when no other worker has that: who
    ends last clears up for all. Killing one may bring its own children here, so it goes on until there is none.
    """
    if pid in _ours:
        _ours[pid] = _NOBODY
    ended = 0
    while orphans := _left(unix_id, private):
        for orphan in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.kill(orphan, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(orphan, 0)
            ended += 1
    return ended


def _left(unix_id: int | None, private: Path) -> list[int]:
    # First who is there, then whose they are: what is started meanwhile is not among them.
    children = list(_children(os.getpid()))
    shared = unix_id in _starting or unix_id in _ours.values()
    user = None if shared else unix_id
    return [pid for pid in children if pid not in _ours and _is_of(pid, user, private)]


def _children(parent: int) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it ended meanwhile
                stat = (entry / "stat").read_text(errors="replace")
                if int(stat.rpartition(")")[2].split()[1]) == parent:
                    yield int(entry.name)


def _is_of(pid: int, unix_id: int | None, private: Path) -> bool:
    process = Path(f"/proc/{pid}")
    try:
        if unix_id is not None and process.stat().st_uid == unix_id:
            return True
        return f"TMPDIR={private / 'tmp'}".encode() in (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
