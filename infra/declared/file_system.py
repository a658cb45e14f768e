"""The folders of the shared file system, and which of them each kind of task mounts.

Each folder is an access point of its own. A task mounts only the folders that it needs. The rights
of its role keep it from writing to a folder that it only reads. One mistake of a task's root
therefore cannot reach everybody's data.

Apps have no access points of their own. There may be 10,000 apps, and access points are part of a
task definition, so each app would need a task definition. A spare instance also starts before its
app is known.

:mod:`chalicelib.layout` says what is in them.
"""

from typing import NamedTuple

from chalicelib.layout import (
    APPS,
    BOOKMARKS,
    DATA,
    HOMES,
    PACKAGES,
    SYNCED,
    SYNCS,
    TREES,
)


class Root(NamedTuple):
    """One folder of the file system."""

    name: str
    mode: int
    """The mode that the folder is created with; root owns it."""


ROOTS = (
    Root(APPS, 0o755),
    Root(PACKAGES, 0o755),
    Root(DATA, 0o711),
    Root(BOOKMARKS, 0o711),
    Root(HOMES, 0o711),
    Root(TREES, 0o755),
    Root(SYNCED, 0o755),
    Root(SYNCS, 0o755),
)


class Mount(NamedTuple):
    """A folder that a task mounts."""

    root: str
    write: bool = False


def read(*roots: str) -> tuple[Mount, ...]:
    """Return mounts that a task only reads."""
    return tuple(Mount(root) for root in roots)


def write(*roots: str) -> tuple[Mount, ...]:
    """Return mounts that a task also writes to."""
    return tuple(Mount(root, write=True) for root in roots)
