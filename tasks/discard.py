"""Removing what a task has made and does not need any more."""

from pathlib import Path

from chalicelib.telemetry import logger
from machine.untrusted import Folder


def discard(path: Path) -> None:
    """Remove a file or folder, whose parent is root's own, with all that is in it; nothing happens when it is not there.

    What cannot be removed is logged: it is in nobody's way, and a later sweep tries again.
    """
    try:
        with Folder.at(path.parent) as above:
            above.remove(path.name)
    except FileNotFoundError:
        pass
    except OSError as error:
        logger.warning("not removed", extra={"path": str(path), "error": str(error)})
