"""The folders of the file system that a task mounts, like access points on AWS.

They are the folders that the task declares, read-only if it only reads them. Each task gets a mount
namespace of its own, which ends with it. That needs root and a machine that lets root mount.
Elsewhere a task sees the whole file system, and the stack says so.
"""

import functools
import os
import shlex
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from infra.emulator.ecs.definition import TaskMount

UNSHARE = ("/usr/bin/unshare", "--mount", "--propagation", "private")


@functools.cache
def can_mount() -> bool:
    """Return whether this process may make mounts."""
    if os.geteuid() != 0:
        return False
    return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0


def why_not() -> str | None:
    """Return why tasks get no mount namespaces, or None if they do.

    It is also None if this process is not root, because nothing is separated then.
    """
    return (
        None if os.geteuid() != 0 or can_mount() else "this machine does not let root make mounts"
    )


def make_roots(efs: Path, roots: Iterable[tuple[str, int]]) -> None:
    """Make the folders of the file system, as AWS does when an access point is first used.

    ``roots`` holds their names and modes.
    """
    efs.mkdir(parents=True, exist_ok=True)
    for name, mode in roots:
        folder = efs / name
        if not folder.exists():
            folder.mkdir()
            folder.chmod(mode)


def script(efs: str, place: str, mounts: Iterable[TaskMount]) -> list[str]:
    """Return shell commands that mount a task's folders of the file system ``efs`` at ``place``.

    The two may be the same folder, because the commands enter ``efs`` before they cover it. This
    function is pure.
    """
    at = shlex.quote(place)
    lines = [f"cd {shlex.quote(efs)}", f"mount -t tmpfs -o mode=755 none {at}"]
    for mount in mounts:
        folder = shlex.quote(f"{place}/{mount.root}")
        lines += [f"mkdir {folder}", f"mount --no-canonicalize --bind ./{mount.root} {folder}"]
        if not mount.write:
            lines.append(f"mount -o remount,ro,bind {folder}")
    return [*lines, f"mount -o remount,ro {at}"]


def command(efs: Path, mounts: Iterable[TaskMount], folder: Path, argv: Sequence[str]) -> list[str]:
    """Return a command that runs ``argv`` in ``folder``.

    It sees only ``mounts`` of the file system.
    """
    lines = [
        "set -e",
        *script(str(efs), str(efs), mounts),
        f"cd {shlex.quote(str(folder))}",
        'exec "$@"',
    ]
    return [*UNSHARE, "bash", "-c", "\n".join(lines), "task", *argv]
