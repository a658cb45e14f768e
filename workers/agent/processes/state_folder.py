"""Where an app's bookmarked states are.

Usually that is a folder of the app's own on the shared file system. An app that runs in a folder of
this machine has its states where Shiny Server has them, so those of before are found:
``<bookmark_state_dir>/<user>/<app's folder>-<md5 of its path>/<state>``.
"""

import hashlib
import os
import stat
from pathlib import Path

from agent.log import logger
from agent.processes import app_folders
from agent.record import InstanceRecord
from chalicelib import layout
from chalicelib.configuration.app_settings import BOOKMARKS_OFF
from machine.account import Account
from machine.untrusted import Folder, Unsafe

DEFAULT = Path("/var/lib/shiny-server/bookmarks")
"""Shiny Server's default, which is used if it is there."""
_WRITABLE = stat.S_IWGRP | stat.S_IWOTH


def of_app(record: InstanceRecord, efs: Path, unix_id: int | None) -> Path | None:
    """Return the folder of the app's states, and make it if it is missing.

    Return None, and log why, if it cannot be made. ``unix_id`` is the app's user, if it has one.
    """
    wanted = record.settings.bookmark_state_dir
    if record.account is not None and record.tree is not None and wanted != BOOKMARKS_OFF:
        top = Path(wanted) if wanted else DEFAULT
        if wanted or top.is_dir():
            try:
                return _in(top, record.account, record.directory)
            except OSError as error:
                logger.warning(
                    f"bookmarked states are not in {top}: {error}; they are with the app's data"
                )
    return app_folders.make(efs, layout.BOOKMARKS, record.ref, unix_id)


def name_of(directory: Path) -> str:
    """Return the name that Shiny Server gives to the folder of an app's states.

    >>> name_of(Path("/srv/shiny-server/hello"))
    'hello-591fce126cb0d248905af22676c201a4'
    """
    path = os.fsencode(directory)
    return f"{directory.name}-{hashlib.md5(path, usedforsecurity=False).hexdigest()}"


def _in(top: Path, account: Account, directory: Path) -> Path:
    """Make the app's folder below ``top``; raise :class:`OSError`.

    Nobody but the owner of ``top`` may have made what is in it, or a user could prepare another's
    folder.
    """
    top.mkdir(mode=0o711, parents=True, exist_ok=True)
    own, name = os.geteuid(), name_of(directory)
    with Folder.at(top) as every:
        status = every.status()
        if status.st_uid not in (0, own) or status.st_mode & _WRITABLE:
            raise Unsafe(1, "others than root may write to it", str(top))
        with every.make(account.name, exist_ok=True) as of_user:
            if of_user.status().st_uid != account.unix_id and own == 0:
                of_user.give(account.unix_id, account.group)
            with of_user.make(name, exist_ok=True) as states:
                if states.status().st_uid != account.unix_id and own == 0:
                    states.give(account.unix_id, account.group)
    return top / account.name / name
