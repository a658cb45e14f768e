"""Folders that are an app's for good, on the file system that its instances share: its data, and its bookmarked states.

They are beside the app's versions, which they outlive; only the app's user can enter them.
"""

import os
from pathlib import Path

from agent.log import logger
from chalicelib.instances.model import InstanceRef, VersionId

DATA = "data"
BOOKMARKS = "bookmarks"
"""Where states are that ``enableBookmarking("server")`` saves."""


def make(efs: Path, kind: str, ref: InstanceRef, unix_id: int | None) -> Path | None:
    """Return the app's folder of that kind, made when it is not there; None, logged, when that cannot be.

    ``unix_id`` is the app's user, if it has one.
    """
    path = efs / kind / VersionId.parse(ref.version_id).app_id
    try:
        path.parent.mkdir(mode=0o711, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        if unix_id is not None:
            os.chown(path, unix_id, unix_id)
    except OSError as error:
        logger.warning(f"the app has no folder for its {kind}", extra={"error": str(error)})
        return None
    return path
