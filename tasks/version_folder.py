"""Turn an unpacked folder into a version on EFS.

A version belongs to root and is readable for its app. It appears completely or not at all.
"""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chalicelib.clock import wall_clock
from machine.untrusted import Folder
from tasks.discard import discard

AT_ONCE = 16
"""Files that are written to disk in parallel."""
_TRASH_LIFE = 24 * 3600.0


def sweep(trash: Path) -> None:
    """Remove what builds that were killed long ago left behind."""
    try:
        with Folder.at(trash) as folder:
            left = [
                entry.name
                for entry in folder.scan()
                if wall_clock() - entry.status.st_mtime > _TRASH_LIFE
            ]
    except FileNotFoundError:
        return
    for name in left:
        discard(trash / name)


def protect(folder: Path, unix_id: int) -> None:
    """Give everything to root, readable only for the app's own group (DESIGN rule 5).

    Sync everything to disk. Of a file's mode, only the executable bit is kept.
    """
    owner = (0, unix_id) if os.geteuid() == 0 else None
    waiting, done = [""], []
    with ThreadPoolExecutor(AT_ONCE) as pool, Folder.at(folder) as top:
        while waiting:
            at = waiting.pop()
            done.append(at)
            with _below(top, at) as here:
                entries = list(here.scan())
                waiting += [
                    f"{at}/{entry.name}" if at else entry.name
                    for entry in entries
                    if entry.is_folder
                ]
                for link in (entry.name for entry in entries if entry.is_link):
                    if owner:
                        os.chown(link, *owner, dir_fd=here.descriptor, follow_symlinks=False)
                # A disk takes long for each file, EFS even longer, but neither takes longer for
                # many at once.
                list(
                    pool.map(
                        lambda name, here=here: _settle_file(here, name, owner),
                        [each.name for each in entries if each.is_file],
                    )
                )
        for at in reversed(done):
            with _below(top, at) as here:
                _settle(here.descriptor, 0o750, owner)


def _below(top: Folder, path: str) -> Folder:
    return top.enter(path) if path else Folder(os.dup(top.descriptor), top.path)


def _settle_file(folder: Folder, name: str, owner: tuple[int, int] | None) -> None:
    with folder.open(name) as file:
        executable = os.fstat(file.fileno()).st_mode & stat.S_IXUSR
        _settle(file.fileno(), 0o750 if executable else 0o640, owner)


def _settle(descriptor: int, mode: int, owner: tuple[int, int] | None) -> None:
    if owner:
        os.fchown(descriptor, *owner)
    os.fchmod(descriptor, mode)
    os.fsync(descriptor)


def make_app_folder(folder: Path, unix_id: int) -> None:
    """Make the folder of an app's versions, which only the app's own group may enter."""
    # Everyone may pass through to reach an app's folder. Its contents are for its own group.
    folder.parent.mkdir(parents=True, exist_ok=True)
    with Folder.at(folder.parent) as apps, apps.make(folder.name, 0o750, exist_ok=True) as own:
        apps.set_mode(0o755)
        if os.geteuid() == 0:
            own.give(0, unix_id)
        own.set_mode(0o750)


def put_in_place(incoming: Path, version: Path) -> None:
    """Move a folder to its name, unless a version of that name exists."""
    if version.exists():
        # This very upload was built before. A version never changes (DESIGN rule 1).
        return
    try:
        incoming.rename(version)
    except OSError:
        if not version.exists():
            raise
    _sync(version.parent)


def _sync(folder: Path) -> None:
    with Folder.at(folder) as opened:
        os.fsync(opened.descriptor)
