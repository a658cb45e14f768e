"""Remove files from EFS: ``python -m tasks.remove``.

``SHEEN_REMOVE`` is ``<app_id>`` (an app, with its data and bookmarked states) or
``<app_id>/<version>``. ``SHEEN_EFS`` is the mount point of the file system. With
``SHEEN_TASK_TOKEN``, the task reports to a state machine when it is done.

A folder is first renamed, so that it disappears at once and in one piece, however long the rest
takes. A missing folder is not an error, because the task may run twice. What earlier, interrupted
runs left behind is removed after that, so that it delays nobody.

Apps make what is removed here, so :mod:`machine.untrusted` removes it.
"""

import os
import re
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from chalicelib import layout
from chalicelib.clock import wall_clock
from chalicelib.errors import Malformed, SettingMissing
from chalicelib.telemetry import logger
from machine.untrusted import REMOVING, Folder
from tasks import token

FORMER_TRASH = ".removed"
"""Folder on EFS where earlier versions of this task left what they did not finish."""
LEFT = 3600.0
"""Seconds without a change after which a half-removed folder belongs to no run."""

_WHAT = re.compile(r"(?P<app>[0-9a-f]{12})(/(?P<version>[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4,16}))?\Z")


class BadRemoval(Malformed):
    """The name does not stand for anything that may be removed."""


def folders(what: str, efs: Path) -> list[Path]:
    """Return the folders to remove, whether they exist or not; raise :class:`BadRemoval`.

    This function is pure.
    """
    match = _WHAT.match(what)
    if match is None:
        raise BadRemoval(
            f'"{what}" names neither an app (twelve hex digits) nor a version of one '
            "(<app>/<version>); nothing was removed"
        )
    if match["version"] is None:
        return [efs / root / match["app"] for root in (layout.APPS, layout.DATA, layout.BOOKMARKS)]
    version = layout.version(efs, match["app"], match["version"])
    return [version, layout.library(version)]


def remove(what: str, efs: Path) -> int:
    """Remove the folders; return how many existed.

    Raise :class:`BadRemoval`, or the first :class:`OSError` after all have been tried.
    """
    count = 0
    failures: list[OSError] = []
    for folder in folders(what, efs):
        try:
            with Folder.at(folder.parent) as above:
                if _is_folder(above, folder.name):
                    count += 1
                    above.remove(folder.name)
        except FileNotFoundError:
            continue  # it does not exist, or another run was faster
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
    """Remove what interrupted runs left behind.

    What cannot be removed is logged, and does not keep anything else from being removed.
    """
    for above, name in _left(efs, now):
        try:
            with Folder.at(above) as folder:
                folder.remove(name)
        except FileNotFoundError:
            continue  # another run was faster
        except Exception as error:
            logger.warning("not removed", extra={"folder": str(above / name), "error": str(error)})


def _left(efs: Path, now: float) -> Iterator[tuple[Path, str]]:
    apps = efs / layout.APPS
    for above in (
        apps,
        efs / layout.DATA,
        efs / layout.BOOKMARKS,
        *_below(apps),
        efs / FORMER_TRASH,
    ):
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
            return [
                apps / entry.name
                for entry in folder.scan()
                if entry.is_folder and not entry.name.startswith(REMOVING)
            ]
    except FileNotFoundError:
        return []


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Remove and report; return the exit code."""
    awaited = environment.get("SHEEN_TASK_TOKEN", "")
    try:
        try:
            what, efs = environment["SHEEN_REMOVE"], Path(environment["SHEEN_EFS"])
        except KeyError as error:
            raise SettingMissing(
                f"environment variable {error.args[0]} is not set; whoever starts the task sets it"
            ) from None
        count = remove(what, efs)
    except Exception as error:
        # Report every exception: a state machine that hears nothing waits until its timeout.
        logger.exception("not removed")
        token.fail(awaited, type(error).__name__, str(error))
        return 1
    logger.info("removed", extra={"what": what, "folders": count})
    token.succeed(awaited, {"folders": count})
    sweep(efs, wall_clock())
    return 0


if __name__ == "__main__":
    sys.exit(main())
