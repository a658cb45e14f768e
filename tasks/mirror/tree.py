"""A folder that others may write to as well.

Every step uses descriptors and follows no link, so that nothing outside the folder is touched.
"""

import contextlib
import os
import secrets
import stat
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from chalicelib.syncs.folders import FILE_MODE, FOLDER_MODE
from chalicelib.syncs.keys import unfit

OPEN_FOLDERS = 64
"""Descriptors that each thread keeps open."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class ExistingFile(NamedTuple):
    """An existing file."""

    size: int
    mtime_ns: int


class ImpossiblePath(OSError):
    """A path can never hold a file, however often it is tried; the message says why."""


def divide(path: str) -> tuple[str, str]:
    """Return the parent of a path, ``""`` or with a slash at its end, and the name in it.

    Raise :class:`ImpossiblePath`. This function is pure.
    """
    at = path.removesuffix("/").rfind("/") + 1
    folder, name = path[:at], path[at:].removesuffix("/")
    if (why := unfit(name)) is not None:
        raise ImpossiblePath(why)
    return folder, name


class MirrorTree:
    """The folder, and a second one on the same file system for incomplete files.

    It is safe to use from many threads.
    """

    def __init__(self, root: Path, incoming: Path, *, durable: bool) -> None:
        """Open both folders; if ``durable``, a file is synced to disk before it gets its name."""
        self._root = root
        self._durable = durable
        incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in incoming.iterdir():  # left by a run that was killed
            left.unlink()
        self._incoming = os.open(incoming, _FOLDER)
        self._own = threading.local()
        self._all: list[OrderedDict[str, int]] = []
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close all descriptors; nobody may use the tree afterwards."""
        for folders in self._all:
            for descriptor in folders.values():
                os.close(descriptor)
        os.close(self._incoming)

    def files(self, below: str = "") -> Iterator[tuple[str, ExistingFile]]:
        """Yield all files whose paths begin with ``below``; enter only the folders needed."""
        waiting = [below[: below.rfind("/") + 1]]
        while waiting:
            top = waiting.pop()
            try:
                descriptor = self._open(top, make=False)
            except (ImpossiblePath, FileNotFoundError):
                continue  # it was moved meanwhile, or never existed
            with os.scandir(descriptor) as scan:
                for entry in scan:
                    path = top + entry.name
                    if not path.startswith(below):
                        continue
                    with contextlib.suppress(FileNotFoundError):
                        status = entry.stat(follow_symlinks=False)
                        if stat.S_ISDIR(status.st_mode):
                            waiting.append(f"{path}/")
                        elif stat.S_ISREG(status.st_mode):
                            yield path, ExistingFile(status.st_size, status.st_mtime_ns)

    def new_file(self) -> tuple[str, int]:
        """Make a file without a place; return its name and a descriptor."""
        name = secrets.token_hex(12)
        return name, os.open(name, _NEW, FILE_MODE, dir_fd=self._incoming)

    def settle(self, name: str, descriptor: int, path: str, mtime_ns: int) -> None:
        """Move a complete file to its place; readers see the old file or the new one.

        Raise :class:`OSError` that says why this fails.
        """
        os.fchmod(descriptor, FILE_MODE)
        os.utime(descriptor, ns=(mtime_ns, mtime_ns))
        if self._durable:
            os.fsync(descriptor)
        folder, base = divide(path)
        where = self._open(folder, make=True)
        try:
            os.rename(name, base, src_dir_fd=self._incoming, dst_dir_fd=where)
        except IsADirectoryError:
            try:
                os.rmdir(base, dir_fd=where)
            except OSError as error:
                raise ImpossiblePath(
                    f'"{path}" is a folder that is not empty, and must be a file'
                ) from error
            os.rename(name, base, src_dir_fd=self._incoming, dst_dir_fd=where)
        if self._durable:
            os.fsync(where)

    def discard(self, name: str) -> None:
        """Remove a file that has no place; do nothing if it has one."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._incoming)

    def make_folder(self, path: str) -> None:
        """Make a folder; ``path`` ends with a slash."""
        self._open(path, make=True)

    def read(self, path: str) -> int:
        """Return a descriptor to read a regular file.

        Raise :class:`ImpossiblePath` for anything else, without blocking on it.
        """
        folder, base = divide(path)
        descriptor = os.open(base, _READ, dir_fd=self._open(folder, make=False))
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise ImpossiblePath(f'"{path}" is no regular file')
        return descriptor

    def remove(self, path: str) -> None:
        """Remove a file, and the folders that it leaves empty."""
        while path:
            folder, base = divide(path)
            where = self._open(folder, make=False)
            if path.endswith("/"):
                self._forget(path)
                try:
                    os.rmdir(base, dir_fd=where)
                except OSError:
                    return  # it is not empty
            else:
                os.unlink(base, dir_fd=where)
            path = folder

    def _open(self, path: str, *, make: bool) -> int:
        """Return this thread's descriptor of a folder, ``""`` or with a slash at its end."""
        folders: OrderedDict[str, int] | None = getattr(self._own, "folders", None)
        if folders is None:
            folders = self._own.folders = OrderedDict()
            with self._lock:
                self._all.append(folders)
        known = folders.get(path)
        if known is not None:
            if os.fstat(known).st_nlink:
                folders.move_to_end(path)
                return known
            self._forget(path)  # another thread removed it
        if not path:
            descriptor = os.open(self._root, _FOLDER)
        else:
            above, name = divide(path)
            descriptor = self._enter(self._open(above, make=make), name, path, make)
        while len(folders) >= OPEN_FOLDERS:
            os.close(folders.popitem(last=False)[1])
        folders[path] = descriptor
        return descriptor

    def _enter(self, where: int, name: str, path: str, make: bool) -> int:
        try:
            return os.open(name, _FOLDER, dir_fd=where)
        except NotADirectoryError as error:
            raise ImpossiblePath(
                f'"{path[:-1]}" is a file or a link, and must be a folder'
            ) from error
        except FileNotFoundError:
            if not make:
                raise
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, FOLDER_MODE, dir_fd=where)
        descriptor = os.open(name, _FOLDER, dir_fd=where)
        os.fchmod(descriptor, FOLDER_MODE)  # regardless of the umask
        return descriptor

    def _forget(self, path: str) -> None:
        descriptor = self._own.folders.pop(path, None)
        if descriptor is not None:
            os.close(descriptor)
