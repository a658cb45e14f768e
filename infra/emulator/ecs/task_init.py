"""The first process of a task, as in a container: ``python -I -S task_init.py PARENT ARGV…``.

PARENT is the stack's process id. The process runs ARGV and passes SIGTERM on to it. When ARGV ends,
it kills everything that ARGV left behind, and ends with the same exit code. On SIGHUP, which the
kernel sends when the stack is gone, it kills everything at once. It is the subreaper of its
orphans, so that not even a process with a session of its own escapes. It needs only the standard
library.
"""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

PR_SET_CHILD_SUBREAPER = 36


def descendants(root: int) -> list[int]:
    """Return the ids of all processes below ``root``."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue  # it ended meanwhile
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found: list[int] = []
    front = {root}
    while front:
        front = {pid for pid, parent in parents.items() if parent in front}
        found.extend(front)
    return found


def kill_all_below() -> None:
    """Kill every descendant, repeatedly until none is left: one may have forked meanwhile."""
    while left := descendants(os.getpid()):
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        while True:
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                break


def main(parent: int, argv: list[str]) -> int:
    """Run ``argv``; return its exit code, or 128 + the number of the signal that ended it."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def stack_is_gone(_signal: int, _frame: FrameType | None) -> None:
        kill_all_below()
        os._exit(137)

    signal.signal(signal.SIGHUP, stack_is_gone)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asked: list[int] = []
    child: subprocess.Popen[bytes] | None = None

    def stop(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        if child is not None:
            os.kill(child.pid, number)

    signal.signal(signal.SIGTERM, stop)
    # The stack may have died before the kernel knew whom to signal.
    if os.getppid() != parent:
        return 137
    try:
        child = subprocess.Popen(argv)
    except OSError as error:
        sys.stderr.write(f"cannot start {argv[0]}: {error.strerror}\n")
        return 127
    if asked:
        os.kill(child.pid, signal.SIGTERM)
    while True:
        pid, status = os.wait()
        if pid == child.pid:
            code = os.waitstatus_to_exitcode(status)
            child.returncode = code
            kill_all_below()
            return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
