"""The layout of the file system that instances and tasks share (EFS). Pure.

| path | what it is |
| --- | --- |
| ``apps/<app_id>/<version>`` | a version's files, which never change |
| ``apps/<app_id>/<version>.library`` | links to the packages that were installed for the version |
| ``apps/.incoming`` | versions that are being built |
| ``packages`` | the packages that libraries link to |
| ``data/<app_id>`` | what an app keeps |
| ``bookmarks/<app_id>`` | the states that an app's visitors keep |
| ``homes/<user>`` | the home of a user that a configuration names |
| ``trees/<folder>`` | a folder that a configuration names, whose apps run in place |
| ``synced/<sync>`` | a sync's gate, with its ``data``, ``.incoming`` and ``.state`` |
| ``syncs/<sync>`` | a link to the sync's ``data``, by which apps know it |

The layout stands in ``chalicelib`` because Lambdas name folders of it too (DataSync's), as do the
declared access points. The machine's own code and ``chalicelib`` do not import each other, and
agent, tasks and infrastructure import ``chalicelib``.
"""

from pathlib import Path

APPS, PACKAGES, DATA, BOOKMARKS = "apps", "packages", "data", "bookmarks"
SYNCED, SYNCS = "synced", "syncs"
HOMES, TREES = "homes", "trees"

LIBRARY = ".library"
"""Suffix of the folder of a version's packages, which is beside the version."""
INCOMING = ".incoming"
"""Folder for what is not complete; one rename completes it, so it is beside its place."""
SYNC_DATA = "data"
"""The folder in a sync's gate that apps see."""
SYNC_STATE = ".state"
"""What a sync remembers about the apps that it publishes, in its gate."""


def version(efs: Path, app_id: str, name: str) -> Path:
    """Return the folder of a version's files."""
    return efs / APPS / app_id / name


def library(version_folder: Path) -> Path:
    """Return the folder of the packages that were installed for a version.

    >>> str(library(Path("apps/0123456789ab/20261120T133144Z-3f9a")))
    'apps/0123456789ab/20261120T133144Z-3f9a.library'
    """
    return version_folder.with_name(f"{version_folder.name}{LIBRARY}")


def builds(efs: Path) -> Path:
    """Return the folder where versions are unpacked before they are renamed.

    What is left there belongs to nobody. It is beside the apps, because nothing can be renamed from
    one access point to another.
    """
    return efs / APPS / INCOMING


def gate(efs: Path, sync: str) -> Path:
    """Return a sync's own folder; :mod:`chalicelib.syncs.folders` says who may enter."""
    return efs / SYNCED / sync


def synced(efs: Path, sync: str) -> Path:
    """Return the folder of a sync's files, which apps see."""
    return gate(efs, sync) / SYNC_DATA


def link(efs: Path, sync: str) -> Path:
    """Return the path by which apps know a sync's files; their folder's mode controls access."""
    return efs / SYNCS / sync


def home(efs: Path, user: str) -> Path:
    """Return the home of a user that a configuration names."""
    return efs / HOMES / user


def tree(folder: str) -> str:
    """Return where a folder that a configuration names is, below the root of the file system.

    >>> tree("/srv/shiny-server/hello"), tree("~ann/ShinyApps")
    ('trees/srv/shiny-server/hello', 'trees/~ann/ShinyApps')
    """
    return f"{TREES}/{folder.strip('/')}"
