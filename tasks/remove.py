"""Removes files from EFS: ``python -m tasks.remove``, with ``SHEEN_REMOVE=<app_id>`` (an app, with its data and bookmarked states) or
``<app_id>/<version>``.

A folder is first renamed, so that it is gone at once and in one piece, however long the rest takes. What is not there is no error: the
task may come twice. ``SHEEN_EFS`` says where the file system is. With ``SHEEN_TASK_TOKEN`` it tells a state machine when it is done.
What earlier runs left that were broken off goes after that, so that it delays nobody.

Apps make what is removed here: :mod:`machine.untrusted` removes it.
"""

import os
import re
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.processes import app_folders
from chalicelib.clock import wall_clock
from chalicelib.errors import SettingMissing, SheenError
from chalicelib.telemetry import logger
from machine.untrusted import REMOVING, Folder
from tasks import token

FORMER_TRASH = ".removed"
"""Folder on EFS in which earlier versions of this task left what they did not finish."""
LEFT = 3600.0
"""Seconds without a change after which a folder that is being removed is nobody's."""

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
    """Remove them; return how many were there. Raise :class:`BadRemoval`, or the first :class:`OSError` when all has been tried."""
    count = 0
    failures: list[OSError] = []
    for folder in folders(what, efs):
        try:
            with Folder.at(folder.parent) as above:
                if _is_folder(above, folder.name):
                    count += 1
                    above.remove(folder.name)
        except FileNotFoundError:
            continue  # there is nothing, or another run was faster
        except OSError as error:
            failures.append(error)
    if failures:
        raise failures[0]
    return count


def _is_folder(above: Folder, name: str) -> bool:
    try:
        return stat.S_ISDIR(above.stat(name).st_mode)
    except FileNotFoundError:
        return False


def sweep(efs: Path, now: float) -> None:
    """Remove what runs left that were broken off; what cannot be removed is logged, and keeps nothing else from being removed."""
    for above, name in _left(efs, now):
        try:
            with Folder.at(above) as folder:
                folder.remove(name)
        except FileNotFoundError:
            continue  # another run was faster
        except Exception as error:
            logger.warning("not removed", extra={"folder": str(above / name), "error": str(error)})


def _left(efs: Path, now: float) -> Iterator[tuple[Path, str]]:
    apps = efs / "apps"
    for above in (apps, efs / app_folders.DATA, efs / app_folders.BOOKMARKS, *_below(apps), efs / FORMER_TRASH):
        try:
            with Folder.at(above) as folder:
                entries = list(folder.scan())
        except OSError:
            continue
        for entry in entries:
            is_left = entry.name.startswith(REMOVING) or above.name == FORMER_TRASH
            if is_left and now - entry.status.st_mtime > LEFT:
                yield above, entry.name


def _below(apps: Path) -> list[Path]:
    try:
        with Folder.at(apps) as folder:
            return [apps / entry.name for entry in folder.scan() if entry.is_folder and not entry.name.startswith(REMOVING)]
    except FileNotFoundError:
        return []


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Remove, and report; return the exit code."""
    awaited = environment.get("SHEEN_TASK_TOKEN", "")
    try:
        try:
            what, efs = environment["SHEEN_REMOVE"], Path(environment["SHEEN_EFS"])
        except KeyError as error:
            raise SettingMissing(f"environment variable {error.args[0]} is not set; whoever starts the task sets it") from None
        count = remove(what, efs)
    except Exception as error:
        # Whatever it is: a state machine that is not told waits until its time is over.
        logger.exception("not removed")
        token.fail(awaited, type(error).__name__, str(error))
        return 1
    logger.info("removed", extra={"what": what, "folders": count})
    token.succeed(awaited, {"folders": count})
    sweep(efs, wall_clock())
    return 0


if __name__ == "__main__":
    sys.exit(main())
