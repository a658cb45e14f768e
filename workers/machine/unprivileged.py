"""Command lines that take a program's privileges away, and the variables that it begins with. Pure.

Whatever an author may have written (an app, a package's scripts) starts by these only. The program
gets no new privileges, no capabilities and no groups but those named, and the kernel sends it
SIGKILL when its starter dies. ``setpriv`` and ``prlimit`` become the program without a fork.
"""

from collections.abc import Sequence
from pathlib import Path

PATH = "/usr/local/bin:/usr/bin:/bin"
"""Folders in which such a program, and what it starts, is looked for."""
PROCESSES = 1000
"""Most processes and threads of one user on one machine."""
_SETPRIV = "/usr/bin/setpriv"
_PRLIMIT = "/usr/bin/prlimit"
_ALWAYS = ("--no-new-privs", "--pdeathsig", "KILL")
_NO_CAPABILITIES = ("--inh-caps=-all", "--ambient-caps=-all")


def as_user(unix_id: int | None, groups: Sequence[int] = (), group: int | None = None) -> list[str]:
    """Return the start of a command line whose program runs as this user, in these groups.

    ``group`` is the user's own group; None if it has the user's number. Without ``unix_id`` (the
    starter is not root) user and groups stay the same.
    """
    drop = [*_ALWAYS]
    if unix_id is not None:
        own = unix_id if group is None else group
        drop += ["--reuid", str(unix_id), "--regid", str(own)]
        drop += ["--groups", ",".join(map(str, groups))] if groups else ["--clear-groups"]
        drop += [*_NO_CAPABILITIES, "--bounding-set=-all"]
    return [_SETPRIV, *drop, "--"]


def as_root_with(capabilities: Sequence[str]) -> list[str]:
    """Return the start of a command line whose program keeps root's user and these capabilities."""
    kept = ",".join(("-all", *(f"+{name}" for name in capabilities)))
    return [
        _SETPRIV,
        *_ALWAYS,
        "--clear-groups",
        *_NO_CAPABILITIES,
        f"--bounding-set={kept}",
        "--",
    ]


def limited(
    file_bytes: int,
    *,
    own_user: bool,
    cpu_seconds: int | None = None,
    memory: int | None = None,
) -> list[str]:
    """Return the start of a command line that limits each of a program's processes.

    ``file_bytes`` is the size of the largest file, ``memory`` the address space in bytes.
    ``own_user`` says that the program has a user of its own, so that the number of the user's
    processes can be limited; otherwise everything that the user runs would count.
    """
    limits = ["--core=0", f"--fsize={file_bytes}"]
    if cpu_seconds is not None:
        limits.append(f"--cpu={cpu_seconds}")
    if memory is not None:
        limits.append(f"--as={memory}")
    if own_user:
        limits.append(f"--nproc={PROCESSES}")
    return [_PRLIMIT, *limits, "--"]


def kill_all_of(unix_id: int) -> list[str]:
    """Return the command line that kills every process of a user, all at once.

    Root runs it. A process can leave its group and its session, but not its user.
    """
    user = str(unix_id)
    become = ["--reuid", user, "--regid", user, "--clear-groups"]
    return [_SETPRIV, *become, "--", "/bin/sh", "-c", "kill -KILL -1"]


def variables(home: Path, temporary: Path) -> dict[str, str]:
    """Return the variables that every such program begins with; nothing of the starter's is left.

    The starter's own variables lead to its credentials (FACTS E3).
    """
    return {"PATH": PATH, "HOME": str(home), "TMPDIR": str(temporary), "LANG": "C.UTF-8"}
