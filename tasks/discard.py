"""Remove what a task has made and no longer needs."""

from pathlib import Path

from chalicelib.telemetry import logger
from machine.untrusted import Folder


def discard(path: Path) -> None:
    """Remove a file or folder with all its contents; do nothing if it does not exist.

    Its parent must belong to root. What cannot be removed is logged. It blocks nothing, and a later
    sweep tries again.
    """
    try:
        with Folder.at(path.parent) as above:
            above.remove(path.name)
    except FileNotFoundError:
        pass
    except OSError as error:
        logger.warning("not removed", extra={"path": str(path), "error": str(error)})
