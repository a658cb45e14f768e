"""Looking at an app's folder that is its author's, with the rights of the app's user only."""

import json
import os
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from chalicelib.configuration.errors import BadAppSetting
from chalicelib.configuration.layers import APP_FILE
from chalicelib.configuration.shiny_server_conf import app_file
from chalicelib.kinds import folder as kinds
from chalicelib.kinds.served import KindOfVersion
from machine import look, unprivileged
from machine.account import Account
from machine.untrusted import Folder, Unsafe

PATIENCE = 10.0
"""Seconds that a look may take; a remote file system may hang."""
_WRITABLE = 0o022
"""Modes of a folder in which others than its owner may make links."""


class NotSeen(Exception):
    """The app's user cannot see the folder; the message says why."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the app's user sees of the folder."""

    kind: KindOfVersion | str
    """What is in it; a sentence that says why, if it is nothing to serve."""
    app_file: str | BadAppSetting
    """The text of ``.shiny_app.conf``; empty: there is none. An error says why it cannot be read.
    """
    restarted: int | None
    """When ``restart.txt`` was changed, in nanoseconds; None if there is none."""
    startup: tuple[str, ...]
    """What R reads only when it starts: the names of files and folders that are there."""
    home: bool
    """Whether the user can enter the home."""


def seen_by(account: Account, folder: Path) -> Look:
    """Look at a folder as a user; raise :class:`NotSeen`."""
    user = account.unix_id if os.geteuid() == 0 else None
    try:
        answer = subprocess.run(
            [
                *unprivileged.as_user(user, account.groups, account.group),
                *look.command(folder, account.home),
            ],
            env={},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )
        told = json.loads(answer.stdout)
    except subprocess.TimeoutExpired:
        raise NotSeen(f"its file system does not answer within {PATIENCE:g} s") from None
    except (OSError, ValueError) as error:
        raise NotSeen(f"it could not be looked at: {error}") from None
    if "error" in told:
        raise NotSeen(f"{told['error']} (as user {account.name})")
    sources = {
        name: text.encode("utf-8", "surrogateescape") for name, text in told["sources"].items()
    }
    names = set(told["names"]) - (set(look.SOURCES) - sources.keys())
    return Look(
        kinds.kind_of(names, lambda name: sources.get(name, b"")),
        _app_file(told["app_file"], account),
        told["restarted"],
        tuple(told["startup"]),
        told["home"],
    )


def _app_file(text: str | None, account: Account) -> str | BadAppSetting:
    if text is None:
        return BadAppSetting(f"{APP_FILE} cannot be read (as user {account.name})")
    try:
        return app_file.decoded(text.encode("utf-8", "surrogateescape"))
    except BadAppSetting as error:
        return error


class FolderPlace(NamedTuple):
    """Where a folder below the root of the file system really is."""

    directory: Path
    tree: Path | None = None
    """The tree that it is in, if that is a folder of this machine."""


def place_of(efs: Path, folder: str) -> FolderPlace:
    """Return where a folder below the root of the file system really is.

    On one machine, trees are links that root has made. They are followed; whatever somebody else
    has made, the app's user finds out.
    """
    parts = folder.split("/")
    try:
        with Folder.at(efs) as top:
            here = top
            for number, name in enumerate(parts):
                status = here.stat(name)
                if status.st_uid != os.geteuid():
                    break
                if stat.S_ISLNK(status.st_mode):
                    tree = Path(os.readlink(name, dir_fd=here.descriptor))
                    return FolderPlace(tree.joinpath(*parts[number + 1 :]), tree)
                if status.st_mode & _WRITABLE:
                    break
                below = here.enter(name)
                if here is not top:
                    here.close()
                here = below
            if here is not top:
                here.close()
    except (FileNotFoundError, Unsafe):
        pass
    return FolderPlace(efs / folder)
