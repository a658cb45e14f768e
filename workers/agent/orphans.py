"""Processes that R started and left behind.

R's process group is killed as a whole; what has put itself into another session comes to the agent when its parent ends
(:func:`agent.process.adopt_orphans`) and is found here, by what the kernel says about it.
"""

import contextlib
import os
import signal
from collections.abc import Container, Iterator
from pathlib import Path


def end(unix_id: int | None, private: Path, keep: Container[int]) -> int:
    """Kill and reap the children of this process that a worker left, but for those in ``keep``; return how many there were.

    The worker is known by its own user, or, when it has none (``unix_id`` None), by its private folder in their environment. Killing
    one may bring its own children here, so it goes on until there is none.
    """
    ended = 0
    while orphans := [pid for pid in _children(os.getpid()) if pid not in keep and _is_of(pid, unix_id, private)]:
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
            ended += 1
    return ended


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
        if unix_id is not None:
            return process.stat().st_uid == unix_id
        return f"TMPDIR={private / 'tmp'}".encode() in (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
