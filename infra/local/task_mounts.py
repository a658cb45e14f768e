"""What a task has of the file system, as its access points give it on AWS: the folders that it declares, read-only where it only reads.

Each task gets a mount namespace of its own, which ends with it. That takes root and a machine that lets root mount; elsewhere a task
sees all of the file system, and the stack says so.
"""

import functools
import os
import shlex
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from infra.declared import ROOTS, Mount

UNSHARE = ("/usr/bin/unshare", "--mount", "--propagation", "private")


@functools.cache
def can_mount() -> bool:
    """Whether this process may make mounts of its own."""
    if os.geteuid() != 0:
        return False
    return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0


def why_not() -> str | None:
    """Say why tasks get no mount namespaces; None when they do, and when this process is not root (nothing is kept apart then)."""
    return None if os.geteuid() != 0 or can_mount() else "this machine does not let root make mounts"


def make_roots(efs: Path) -> None:
    """Make the folders of the file system, as AWS does when an access point is first entered."""
    efs.mkdir(parents=True, exist_ok=True)
    for root in ROOTS:
        folder = efs / root.name
        if not folder.exists():
            folder.mkdir()
            folder.chmod(root.mode)


def script(efs: str, place: str, mounts: Iterable[Mount]) -> list[str]:
    """Return shell commands that mount at ``place`` what a task has of the file system in ``efs``. Pure.

    The two may be the same folder: what is in ``efs`` is entered before it is covered.
    """
    at = shlex.quote(place)
    lines = [f"cd {shlex.quote(efs)}", f"mount -t tmpfs -o mode=755 none {at}"]
    for mount in mounts:
        folder = shlex.quote(f"{place}/{mount.root}")
        lines += [f"mkdir {folder}", f"mount --no-canonicalize --bind ./{mount.root} {folder}"]
        if not mount.write:
            lines.append(f"mount -o remount,ro,bind {folder}")
    return [*lines, f"mount -o remount,ro {at}"]


def command(efs: Path, mounts: Iterable[Mount], folder: Path, argv: Sequence[str]) -> list[str]:
    """Return what runs ``argv`` in ``folder``, with nothing of the file system but ``mounts``."""
    lines = ["set -e", *script(str(efs), str(efs), mounts), f"cd {shlex.quote(str(folder))}", 'exec "$@"']
    return [*UNSHARE, "bash", "-c", "\n".join(lines), "task", *argv]
