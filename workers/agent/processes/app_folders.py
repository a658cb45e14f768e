"""An app's permanent folders, on the file system that its instances share.

They hold its data and its bookmarked states. They are beside the app's versions and outlive them.
Only the app's user can enter them.
"""

import stat
from pathlib import Path

from agent.log import logger
from agent.processes.quota import MOST_FILES
from agent.record import InstanceRecord
from chalicelib import layout
from chalicelib.instances.model import InstanceRef, VersionId
from machine.account import Account
from machine.room import TEMPORARY, Link, VisibleFolder
from machine.untrusted import Folder, Usage


def make(efs: Path, root: str, ref: InstanceRef, unix_id: int | None) -> Path | None:
    """Return the app's folder below this root, and make it if it is missing.

    Return None, and log why, if it cannot be made. ``unix_id`` is the app's user, if it has one.
    """
    app_id = VersionId.parse(ref.version_id).app_id
    try:
        with (
            Folder.at(efs) as top,
            top.make(root, 0o711, exist_ok=True) as all_apps,
            all_apps.make(app_id, exist_ok=True) as own,
        ):
            if unix_id is not None and own.status().st_uid != unix_id:
                own.give(unix_id, unix_id)
    except OSError as error:
        logger.warning(f"the app has no folder for its {root}", extra={"error": str(error)})
        return None
    return efs / root / app_id


def make_home(efs: Path, account: Account) -> None:
    """Make the home of a user on the shared file system, if it is missing."""
    with (
        Folder.at(efs) as top,
        top.make(layout.HOMES, 0o711, exist_ok=True) as every,
        every.make(account.name, exist_ok=True) as own,
    ):
        if own.status().st_uid != account.unix_id:
            own.give(account.unix_id, account.group)


def usage(efs: Path, root: str, ref: InstanceRef) -> Usage:
    """Return how much the app's folder below this root contains.

    Raise :class:`OSError` if that fails or the folder does not exist.
    """
    with (
        Folder.at(efs) as top,
        top.enter(f"{root}/{VersionId.parse(ref.version_id).app_id}") as own,
    ):
        return own.usage(MOST_FILES)


def view(
    record: InstanceRecord, efs: Path, version: Path
) -> tuple[tuple[Path, ...], tuple[VisibleFolder, ...], tuple[Link, ...]]:
    """Return what an app's room hides, and what stays visible in it.

    The room hides the shared file system. Visible are the app's own library, data and states, its
    synced folders, and ``version``, to which links for large files in the instance's copy lead.
    A sync that has never run is visible to later workers only.

    The visible part of a sync is its gate. Only the gate decides by the groups that the app was
    given, so naming a sync in the setting is not enough to enter it.
    """
    own = [version] if record.library is None else [version, record.library, efs / layout.PACKAGES]
    return _view(record, efs, [(path, False) for path in own])


def view_in_place(
    record: InstanceRecord, account: Account, efs: Path
) -> tuple[tuple[Path, ...], tuple[VisibleFolder, ...], tuple[Link, ...]]:
    """Return the same for an app in a folder, which sees its trees and its user's home.

    In them, the modes of files say what the user may see, as for whoever is logged in.
    """
    own = [layout.home(efs, account.name)]
    if record.directory.is_relative_to(efs / layout.TREES):
        own.append(efs / layout.TREES)
    hidden, seen, links = _view(record, efs, [(path, True) for path in own])
    tree = record.tree
    if tree is not None and any(map(tree.is_relative_to, TEMPORARY)) and _only_root_leads_to(tree):
        # A room has temporary folders of its own.
        seen = (*seen, VisibleFolder(tree, tree, writable=True))
    return hidden, seen, links


def _only_root_leads_to(path: Path) -> bool:
    """Return whether nobody but root could have put another folder at this path."""
    folder = Folder.at(Path("/"))
    try:
        for name in path.parts[1:]:
            status = folder.status()
            others = status.st_mode & 0o022
            # In a sticky folder, only the owner of an entry can put another one in its place.
            kept = status.st_mode & stat.S_ISVTX and folder.stat(name).st_uid == 0
            if status.st_uid != 0 or (others and not kept):
                return False
            below = folder.enter(name)
            folder.close()
            folder = below
    except OSError:
        return False
    finally:
        folder.close()
    return True


def _view(
    record: InstanceRecord, efs: Path, own: list[tuple[Path, bool]]
) -> tuple[tuple[Path, ...], tuple[VisibleFolder, ...], tuple[Link, ...]]:
    app_id = VersionId.parse(record.ref.version_id).app_id
    found = list(own)
    found += [(efs / root / app_id, True) for root in (layout.DATA, layout.BOOKMARKS)]
    found += [(layout.gate(efs, name), True) for name in record.settings.data]
    real = efs.resolve()
    links = [(layout.link(efs, name), layout.synced(efs, name)) for name in record.settings.data]
    return (
        (real,),
        tuple(
            VisibleFolder(real / path.relative_to(efs), path, writable)
            for path, writable in found
            if path.is_dir()
        ),
        tuple(
            Link(real / link.relative_to(efs), str(real / data.relative_to(efs)))
            for link, data in links
        ),
    )
