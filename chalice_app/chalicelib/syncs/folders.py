"""Where a sync's files are on EFS, and who may enter. Pure.

``synced/<name>/`` lets in the group of the sync's readers and nobody else; ``data`` in it is what apps see, by the link ``syncs/<name>``.
Only the group of its writers may add to that, and the sticky bit keeps them from what others have put there. Beside it, where no app sees
them, are files that are not yet complete. EFS has no access lists, and a folder has one group: so there are two folders, each with its own.
"""

from pathlib import Path

SYNCS = "syncs"
SYNCED = "synced"
DATA = "data"
INCOMING = ".incoming"
STATE = ".state"
"""What the sync remembers of the apps that it publishes."""

MOST_SYNCS = 16
"""Synced folders that one app sees at most."""
MOST_GROUPS = 2 * MOST_SYNCS

GATE_MODE = 0o750
DATA_MODE = 0o3775
FOLDER_MODE = 0o755
FILE_MODE = 0o644


def gate(efs: Path, name: str) -> Path:
    """Return the sync's own folder."""
    return efs / SYNCED / name


def data(efs: Path, name: str) -> Path:
    """Return the folder that apps see."""
    return gate(efs, name) / DATA


def link(efs: Path, name: str) -> Path:
    """Return the path by which apps know the folder; what may be entered by it is the folder's own matter."""
    return efs / SYNCS / name


def groups(mode: str, read_gid: int, write_gid: int) -> tuple[int, ...]:
    """Return the groups that an app is in whose ``data`` setting says ``mode`` (``read`` or ``write``) of a sync."""
    return (read_gid, write_gid) if mode == "write" else (read_gid,)
