"""A real folder, seen as a tree of objects: live, read-only, and no more than its reader may see.

Hidden files and whatever is no regular file are not there. A link is followed if it stays in the
folder, or if root made it where nobody else could have: so an administrator's links lead anywhere,
and those of other people only to what the folder shows anyway.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from infra.emulator.s3.reader import ObjectReader, as_reader

_STEP = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_MOST_LINKS = 40
"""Links followed on the way to one file; Linux has the same limit."""
_OTHERS_WRITE = 0o022
_KERNEL = ("/proc", "/sys")
"""File systems whose files tell of this process, not of the reader."""


class ShownEntry(NamedTuple):
    """A file or a folder below the shown folder."""

    name: str
    is_folder: bool
    size: int
    modified_ns: int

    @property
    def etag(self) -> str:
        """Another one whenever the file has changed."""
        return f'"{self.modified_ns:x}-{self.size:x}"'

    @classmethod
    def of(cls, name: str, status: os.stat_result) -> "ShownEntry | None":
        """Return an entry; None for what is not shown."""
        if stat.S_ISDIR(status.st_mode):
            return cls(name, True, 0, status.st_mtime_ns)
        if stat.S_ISREG(status.st_mode):
            return cls(name, False, status.st_size, status.st_mtime_ns)
        return None


@dataclass(frozen=True, slots=True)
class ShownFolder:
    """A folder of this machine, shown to one reader."""

    folder: Path
    reader: ObjectReader

    def entries(self, path: str) -> list[ShownEntry] | None:
        """Return the content of the folder at a relative path; None if there is none.

        Raise :class:`PermissionError` if the reader may not list it.
        """
        return as_reader(self.reader, lambda: self._entries(_parts(path)))

    def open(self, path: str) -> tuple[int, ShownEntry] | None:
        """Return a descriptor of the file at a relative path; None if there is none.

        Raise :class:`PermissionError` if the reader may not read it.
        """
        return as_reader(self.reader, lambda: self._open(_parts(path)))

    def _entries(self, parts: list[str]) -> list[ShownEntry] | None:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), self._walk(parts) as at:
            if not stat.S_ISDIR(os.fstat(at).st_mode):
                return None
            listed = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=at)
            try:
                with os.scandir(listed) as names:
                    found = [self._entry(parts, each) for each in names if _shown(each.name)]
            finally:
                os.close(listed)
            return [each for each in found if each is not None]
        return None

    def _entry(self, parts: list[str], found: os.DirEntry[str]) -> ShownEntry | None:
        try:
            if not found.is_symlink():
                return ShownEntry.of(found.name, found.stat(follow_symlinks=False))
            with self._walk([*parts, found.name]) as at:
                return ShownEntry.of(found.name, os.fstat(at))
        except OSError:
            return None  # it leads nowhere, or where this reader may not go

    def _open(self, parts: list[str]) -> tuple[int, ShownEntry] | None:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), self._walk(parts) as at:
            entry = ShownEntry.of(parts[-1] if parts else "", os.fstat(at))
            if entry is None or entry.is_folder:
                return None
            return os.dup(at), entry
        return None

    @contextlib.contextmanager
    def _walk(self, parts: list[str]) -> Iterator[int]:
        """Yield a descriptor of what is at a path: of a folder for steps, of a file for reading.

        Raise :class:`FileNotFoundError` for what is not shown.
        """
        with contextlib.ExitStack() as opened:

            def keep(descriptor: int) -> int:
                opened.callback(os.close, descriptor)
                if os.fstat(descriptor).st_dev in _devices_of_kernel():
                    raise FileNotFoundError(errno.ENOENT, "is the kernel's own")
                return descriptor

            def top() -> int:
                return keep(os.open(self.folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))

            here, left, links = [top()], list(parts), 0
            while left:
                name = left.pop(0)
                if name == "..":
                    if len(here) == 1:
                        raise FileNotFoundError(errno.ENOENT, "leads out of its folder")
                    here.pop()
                    continue
                if not _shown(name):
                    raise FileNotFoundError(errno.ENOENT, "is hidden")
                status = os.stat(name, dir_fd=here[-1], follow_symlinks=False)
                if stat.S_ISLNK(status.st_mode):
                    links += 1
                    if links > _MOST_LINKS:
                        raise FileNotFoundError(errno.ENOENT, "leads to no end")
                    target = os.readlink(name, dir_fd=here[-1])
                    if _is_roots(os.fstat(here[-1]), status):
                        here = [keep(_anywhere(name, here[-1], last=not left))]
                        continue
                    if target.startswith("/"):
                        inside = Path(os.path.normpath(target))
                        if not inside.is_relative_to(self.folder):
                            raise FileNotFoundError(errno.ENOENT, "leads out of its folder")
                        here, left = [top()], [*inside.relative_to(self.folder).parts, *left]
                    else:
                        left = [part for part in target.split("/") if part not in ("", ".")] + left
                elif stat.S_ISDIR(status.st_mode):
                    here.append(keep(os.open(name, _STEP, dir_fd=here[-1])))
                elif left or not stat.S_ISREG(status.st_mode):
                    raise FileNotFoundError(errno.ENOENT, "is no folder and no regular file")
                else:
                    here.append(keep(os.open(name, _FILE, dir_fd=here[-1])))
            yield here[-1]


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _shown(name: str) -> bool:
    """Return whether a name can be part of a key; hidden names are not."""
    return not name.startswith(".") and name.isprintable()


def _is_roots(folder: os.stat_result, link: os.stat_result) -> bool:
    """Return whether only root can have made a link."""
    return link.st_uid == folder.st_uid == 0 and not folder.st_mode & _OTHERS_WRITE


def _anywhere(name: str, folder: int, *, last: bool) -> int:
    """Open what a link leads to, wherever that is."""
    step = os.open(name, os.O_PATH | os.O_CLOEXEC, dir_fd=folder)
    mode = os.fstat(step).st_mode
    if stat.S_ISDIR(mode):
        return step
    os.close(step)
    if not last or not stat.S_ISREG(mode):
        raise FileNotFoundError(errno.ENOENT, "is no folder and no regular file")
    file = os.open(name, _FILE & ~os.O_NOFOLLOW, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise FileNotFoundError(errno.ENOENT, "is no regular file")
    return file


def _devices_of_kernel() -> set[int]:
    found: set[int] = set()
    for path in _KERNEL:
        with contextlib.suppress(OSError):
            found.add(Path(path).stat().st_dev)
    return found
