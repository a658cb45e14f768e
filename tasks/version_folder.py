"""How an unpacked folder becomes a version on EFS: owned by root, readable for its app, all of it at once or nothing."""

import contextlib
import os
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chalicelib.clock import wall_clock

AT_ONCE = 16
"""Files that are written out at once."""
_TRASH_LIFE = 24 * 3600.0


def sweep(trash: Path) -> None:
    """Remove what builds left that were killed long ago."""
    for folder in trash.glob("*"):
        with contextlib.suppress(FileNotFoundError):  # another build was faster
            if wall_clock() - folder.stat().st_mtime > _TRASH_LIFE:
                shutil.rmtree(folder, ignore_errors=True)


def protect(folder: Path, unix_id: int) -> None:
    """Give everything to root, readable for the app's own group and nobody else (DESIGN rule 5), and see it written.

    Of a file's mode whether it can be executed stays, and nothing else.
    """
    owner = (0, unix_id) if os.geteuid() == 0 else None
    folders = [Path(at) for at, _folders, _files in os.walk(folder, topdown=False)]
    with ThreadPoolExecutor(AT_ONCE) as pool:  # a disk, and more so EFS, takes long for each, and no longer for many at once
        for at in folders:
            everything = list(os.scandir(at))
            for link in (entry for entry in everything if entry.is_symlink()):
                if owner:
                    os.lchown(link.path, *owner)
            files = [Path(entry.path) for entry in everything if entry.is_file(follow_symlinks=False)]
            list(pool.map(lambda path: _settle(path, owner), files))
    for at in folders:
        _settle(at, owner)


def _settle(path: Path, owner: tuple[int, int] | None) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        can_be_executed = os.fstat(handle).st_mode & stat.S_IXUSR  # or entered
        if owner:
            os.fchown(handle, *owner)
        os.fchmod(handle, 0o750 if can_be_executed else 0o640)
        os.fsync(handle)
    finally:
        os.close(handle)


def make_app_folder(folder: Path, unix_id: int) -> None:
    """Make the folder of an app's versions, which the app's own group may enter."""
    # Everyone may pass through to get to an app's folder; what is in that is for its own group.
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.parent.chmod(0o755)
    folder.mkdir(exist_ok=True, mode=0o750)
    if os.geteuid() == 0:
        os.chown(folder, 0, unix_id)
    folder.chmod(0o750)


def put_in_place(incoming: Path, version: Path) -> None:
    """Give a folder its name, unless one of that name is there."""
    if version.exists():
        # Built before, from this very upload; a version never changes (DESIGN rule 1).
        return
    try:
        incoming.rename(version)
    except OSError:
        if not version.exists():
            raise
    _sync(version.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
