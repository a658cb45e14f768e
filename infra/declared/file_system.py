"""The shared file system: its folders, and which of them each kind of task has.

Each folder is an access point of its own. A task mounts those that it needs and no others, and what it only reads it cannot write, by its
role's rights: so that one slip of a task's root does not reach everybody's data. Apps have no access points of their own although there may
be 10,000: they would be in the task definitions, so that each app needed one, and a spare instance serves an app that is not known yet when
it is started.
"""

from typing import NamedTuple

from chalicelib.syncs.folders import SYNCED as SYNCED
from chalicelib.syncs.folders import SYNCS as SYNCS

APPS, PACKAGES, DATA, BOOKMARKS = "apps", "packages", "data", "bookmarks"


class Root(NamedTuple):
    """One folder of the file system."""

    name: str
    mode: int
    """What it is made with; root owns it."""


ROOTS = (
    Root(APPS, 0o755),
    Root(PACKAGES, 0o755),
    Root(DATA, 0o711),
    Root(BOOKMARKS, 0o711),
    Root(SYNCED, 0o755),
    Root(SYNCS, 0o755),
)


class Mount(NamedTuple):
    """A folder that a task has."""

    root: str
    write: bool = False


def read(*roots: str) -> tuple[Mount, ...]:
    """Return what a task only reads."""
    return tuple(Mount(root) for root in roots)


def write(*roots: str) -> tuple[Mount, ...]:
    """Return what a task writes as well."""
    return tuple(Mount(root, write=True) for root in roots)
