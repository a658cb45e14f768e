"""Plain copies of log streams in folders of the machine, which other users may write to.

Nothing here works by path: a user who may write to a folder could put a link in the place of a
file, and let this process write elsewhere. So each step down is taken by descriptor, a link is
followed only where nobody else could have made it, and a file is written only while it is the one
that was made here.
"""

import contextlib
import itertools
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MOST_NAMES = 1000


@dataclass
class Copy:
    """The lines of one stream, without times, in a file ``name`` in ``folder``.

    ``owner`` are the user and the group that the file belongs to; None: this process's own.
    """

    folder: Path
    name: str
    mode: int
    owner: tuple[int, int] | None = None
    _made: tuple[int, int] | None = field(default=None, repr=False)
    """Device and inode of the file."""

    def append(self, texts: Sequence[str]) -> None:
        """Append lines; make the file if it is not there. Raise :class:`OSError`."""
        with _opened(self.folder) as folder, self._file(folder) as file:
            data = "".join(f"{text}\n" for text in texts).encode()
            while data:
                data = data[os.write(file, data) :]

    def remove(self) -> None:
        """Remove the file, if it is still there. Raise :class:`OSError`."""
        if self._made is None:
            return
        with contextlib.suppress(FileNotFoundError), _opened(self.folder) as folder:
            if _identity(os.stat(self.name, dir_fd=folder, follow_symlinks=False)) == self._made:
                os.unlink(self.name, dir_fd=folder)

    @contextlib.contextmanager
    def _file(self, folder: int) -> Iterator[int]:
        file = self._again(folder) if self._made is not None else None
        if file is None:
            file = self._new(folder)
        try:
            yield file
        finally:
            os.close(file)

    def _again(self, folder: int) -> int | None:
        """Open the file that was made; return None if another one, or none, has its name."""
        try:
            file = os.open(self.name, _FILE, dir_fd=folder)
        except OSError:
            return None
        if _identity(os.fstat(file)) == self._made:
            return file
        os.close(file)
        return None

    def _new(self, folder: int) -> int:
        """Make the file; another name follows if there is one with its name."""
        stem = self.name.removesuffix(".log")
        for number in itertools.count(1):
            name = f"{stem}.log" if number == 1 else f"{stem}-{number}.log"
            try:
                file = os.open(name, _FILE | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)
                break
            except FileExistsError:
                if number == _MOST_NAMES:
                    raise
        try:
            if self.owner is not None:
                os.fchown(file, *self.owner)
            os.fchmod(file, self.mode)
            self.name, self._made = name, _identity(os.fstat(file))
        except OSError:
            os.close(file)
            raise
        return file


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """Yield a descriptor of a folder, given by an absolute path."""
    at = os.open("/", _FOLDER)
    try:
        for name in folder.parts[1:]:
            try:
                below = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=at)
            except OSError:
                if not _is_own_link(name, at):
                    raise
                below = os.open(name, _FOLDER, dir_fd=at)
            os.close(at)
            at = below
        yield at
    finally:
        os.close(at)


def _is_own_link(name: str, folder: int) -> bool:
    """Return whether a name is a link that only root or this process's user can have made."""
    trusted = (0, os.geteuid())
    there, around = os.stat(name, dir_fd=folder, follow_symlinks=False), os.fstat(folder)
    return (
        stat.S_ISLNK(there.st_mode)
        and there.st_uid in trusted
        and around.st_uid in trusted
        and not around.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
