"""Where an app's bookmarked states are (``enableBookmarking("server")``): beside its versions, which they outlive."""

import os
from pathlib import Path

from agent.log import logger
from chalicelib.instances.model import InstanceRef, VersionId

BOOKMARKS = "bookmarks"


def folder(efs: Path, ref: InstanceRef, unix_id: int | None) -> Path | None:
    """Return the app's folder, made when it is not there, which only its user ``unix_id`` can enter; None, logged, when that cannot be."""
    path = efs / BOOKMARKS / VersionId.parse(ref.version_id).app_id
    try:
        path.parent.mkdir(mode=0o711, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        if unix_id is not None:
            os.chown(path, unix_id, unix_id)
    except OSError as error:
        logger.warning("bookmarked states cannot be saved", extra={"error": str(error)})
        return None
    return path
