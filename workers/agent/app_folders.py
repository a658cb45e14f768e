"""Folders that are an app's for good, on the file system that its instances share: its data, and its bookmarked states.

They are beside the app's versions, which they outlive; only the app's user can enter them.
"""

from pathlib import Path

from agent.log import logger
from agent.record import Record
from chalicelib.instances.model import InstanceRef, VersionId
from chalicelib.syncs import folders
from machine.room import Seen
from machine.untrusted import Folder

DATA = "data"
PACKAGES = "packages"
"""What versions' libraries link to."""
BOOKMARKS = "bookmarks"
"""Where states are that ``enableBookmarking("server")`` saves."""


def make(efs: Path, kind: str, ref: InstanceRef, unix_id: int | None) -> Path | None:
    """Return the app's folder of that kind, made when it is not there; None, logged, when that cannot be.

    ``unix_id`` is the app's user, if it has one.
    """
    app_id = VersionId.parse(ref.version_id).app_id
    try:
        with Folder.at(efs) as root, root.make(kind, 0o711, exist_ok=True) as all_apps, all_apps.make(app_id, exist_ok=True) as own:
            if unix_id is not None and own.status().st_uid != unix_id:
                own.give(unix_id, unix_id)
    except OSError as error:
        logger.warning(f"the app has no folder for its {kind}", extra={"error": str(error)})
        return None
    return efs / kind / app_id


def view(record: Record, efs: Path) -> tuple[tuple[Path, ...], tuple[Seen, ...]]:
    """Return what an app's room hides, which is the shared file system, and what it finds there yet.

    That is its own version, library, data and states, and what is synced for it; a sync that never ran is there for later workers.
    """
    app_id = VersionId.parse(record.ref.version_id).app_id
    own = [record.directory] if record.library is None else [record.directory, record.library, efs / PACKAGES]
    found = [(path, path, False) for path in own]
    found += [(efs / kind / app_id, efs / kind / app_id, True) for kind in (DATA, BOOKMARKS)]
    for name in record.settings.data:
        data = folders.data(efs, name)
        found += [(data, data, True), (folders.link(efs, name), data, True)]
    real = efs.resolve()
    seen = (Seen(real / path.relative_to(efs), source, writable) for path, source, writable in found if source.is_dir())
    return (real,), tuple(seen)
