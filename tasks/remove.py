"""Removes files from EFS: ``python -m tasks.remove``, with ``SHEEN_REMOVE=<app_id>`` (an app, with its data and bookmarked states) or
``<app_id>/<version>``.

A folder is first renamed into the trash, so that it is gone at once and in one piece, however long the rest takes. What is not there
is no error: the task may come twice. ``SHEEN_EFS`` says where the file system is. With ``SHEEN_TASK_TOKEN`` it tells a state machine when
it is done.
"""

import os
import re
import shutil
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path

from agent import app_folders
from chalicelib.errors import SettingMissing, SheenError
from chalicelib.telemetry import logger
from tasks import token

TRASH = ".removed"

_WHAT = re.compile(r"(?P<app>[0-9a-f]{12})(/(?P<version>[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4,16}))?\Z")


class BadRemoval(SheenError):
    """Nothing that may be removed has this name."""


def folders(what: str, efs: Path) -> list[Path]:
    """Return the folders to be removed, whether they are there or not; raise :class:`BadRemoval`. Pure."""
    match = _WHAT.match(what)
    if match is None:
        raise BadRemoval(f'"{what}" names neither an app (twelve hex digits) nor a version of one (<app>/<version>); nothing was removed')
    app = efs / "apps" / match["app"]
    if match["version"] is None:
        return [app, *(efs / kind / match["app"] for kind in (app_folders.DATA, app_folders.BOOKMARKS))]
    return [app / match["version"], app / f"{match['version']}.library"]


def remove(what: str, efs: Path) -> int:
    """Remove them; return how many were there."""
    found = [folder for folder in folders(what, efs) if folder.is_dir() and not folder.is_symlink()]
    trash = efs / TRASH
    trash.mkdir(mode=0o700, exist_ok=True)
    for folder in found:
        folder.rename(trash / uuid.uuid4().hex)
    for left in trash.iterdir():  # also what an earlier run, that was broken off, left there
        shutil.rmtree(left, ignore_errors=True)
    return len(found)


def main(environment: Mapping[str, str] = os.environ) -> int:
    awaited = environment.get("SHEEN_TASK_TOKEN", "")
    try:
        try:
            what, efs = environment["SHEEN_REMOVE"], environment["SHEEN_EFS"]
        except KeyError as error:
            raise SettingMissing(f"environment variable {error.args[0]} is not set; whoever starts the task sets it") from None
        count = remove(what, Path(efs))
    except (SheenError, OSError) as error:
        logger.error(str(error))
        token.fail(awaited, type(error).__name__, str(error))
        return 1
    logger.info("removed", extra={"what": what, "folders": count})
    token.succeed(awaited, {"folders": count})
    return 0


if __name__ == "__main__":
    sys.exit(main())
