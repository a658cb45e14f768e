"""Root's only way to files, folders and sockets that an app, an upload or a package may have made.

Whoever may write to a folder can put a link, a FIFO or a socket where root expects a file, and can swap one for the other
between two calls. So nothing here goes by a path: a :class:`Folder` is held by its descriptor, each step down is one name that
is not followed if it is a link, and what was opened is looked at before it is used.

Every failure is an :class:`OSError`; what is not what it should be is :class:`Unsafe`.
"""

import contextlib
import errno
import os
import secrets
import socket
import stat
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

DEEPEST = 64
"""Levels that :meth:`Folder.walk` goes down; it keeps two descriptors for each."""
REMOVING = ".removing-"
"""The name of a folder in which :meth:`Folder.remove` takes a tree apart begins so."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CREDENTIALS = struct.Struct("=3i")
_MOST_LINKS = 40
"""On the way to one file; Linux allows as many."""
_PASSES = 100
"""How often a folder is emptied in which somebody goes on making things."""


class Unsafe(OSError):
    """Something is not what it should be: a link, a FIFO, a file of another user, a name with a slash."""

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


class Unremoved(OSError):
    """Some of a tree could not be removed; the message says what, and why."""

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


class Budget(NamedTuple):
    """How much a removal may take before it gives up."""

    entries: int | None = None
    """Files and folders."""
    seconds: float | None = None


NO_LIMIT = Budget()


class Entry(NamedTuple):
    """What a folder has under a name; a link is a link here."""

    name: str
    status: os.stat_result

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.status.st_mode)

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return stat.S_ISLNK(self.status.st_mode)


class Found(NamedTuple):
    """One entry of a tree."""

    folder: "Folder"
    """The folder that has it, open until the next step of the walk."""
    path: str
    """Its path, relative to where the walk began."""
    entry: Entry


class Usage(NamedTuple):
    """How much is in a folder."""

    bytes: int
    """On the disk."""
    entries: int
    """Files and folders."""
    complete: bool
    """False: there is more, which was not counted."""


class Folder:
    """A folder, held by its descriptor whatever becomes of its path. Close it, or use it as a context manager."""

    def __init__(self, descriptor: int, path: Path) -> None:
        """Take over ``descriptor``. ``path`` is for messages only."""
        self.descriptor = descriptor
        self.path = path

    @classmethod
    def at(cls, trusted: Path) -> Self:
        """Open a folder whose whole path only root, or this process's user, can change. Links on the way are followed."""
        return cls(os.open(trusted, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), trusted)

    def close(self) -> None:
        """Close the descriptor; nothing happens the second time."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # Looking

    def status(self) -> os.stat_result:
        """Return the status of the folder itself."""
        return os.fstat(self.descriptor)

    def stat(self, name: str) -> os.stat_result:
        """Return the status of what is under a name, of a link its own."""
        return os.stat(self._checked(name), dir_fd=self.descriptor, follow_symlinks=False)

    def names(self) -> list[str]:
        """Return the names of all that is in it, in no order."""
        return os.listdir(self.descriptor)  # noqa: PTH208  (by descriptor)

    def scan(self) -> Iterator[Entry]:
        """Yield all that is in it, in no order; what vanishes meanwhile is left out."""
        with os.scandir(self.descriptor) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    yield Entry(entry.name, entry.stat(follow_symlinks=False))

    def walk(self, deepest: int = DEEPEST) -> Iterator[Found]:
        """Yield all of the tree below it, a folder before what is in it. Links and other file systems are not entered.

        Raise :class:`Unsafe` when the tree is deeper than ``deepest`` levels. A folder that vanishes or becomes something else
        meanwhile is passed over.
        """
        device = self.status().st_dev
        with contextlib.ExitStack() as opened:
            levels: list[tuple[Folder, str, Iterator[Entry]]] = [(self, "", self.scan())]
            while levels:
                folder, path, entries = levels[-1]
                entry = next(entries, None)
                if entry is None:
                    levels.pop()
                    if folder is not self:
                        folder.close()
                    continue
                yield Found(folder, path + entry.name, entry)
                if not entry.is_folder or entry.status.st_dev != device:
                    continue
                if len(levels) > deepest:
                    raise Unsafe(errno.ELOOP, f"is deeper than {deepest} levels", str(self.path / path / entry.name))
                with contextlib.suppress(FileNotFoundError, Unsafe):
                    below = opened.enter_context(folder._down(entry.name))
                    levels.append((below, f"{path}{entry.name}/", below.scan()))

    def usage(self, most: int, deepest: int = DEEPEST) -> Usage:
        """Return how much is in it: of ``most`` files and folders, down to ``deepest`` levels."""
        size = number = 0
        try:
            for found in self.walk(deepest):
                size, number = size + found.entry.status.st_blocks * 512, number + 1
                if number > most:
                    return Usage(size, number, complete=False)
        except Unsafe:
            return Usage(size, number, complete=False)
        return Usage(size, number, complete=True)

    # Entering and reading

    def enter(self, path: str) -> "Folder":
        """Open a folder below it, name by name; raise :class:`Unsafe` for a link or anything else that is no folder."""
        folder = self
        for name in path.split("/"):
            try:
                below = folder._down(name)
            finally:
                if folder is not self:
                    folder.close()
            folder = below
        return folder

    def enter_own(self, name: str) -> "Folder":
        """Open a folder, or what a link leads to that this process's user has made in a folder that only he can change."""
        if self.stat(name).st_uid != os.geteuid():
            raise self._unsafe(errno.EPERM, "was made by another user", name)
        try:
            return Folder(os.open(self._checked(name), _FOLDER & ~os.O_NOFOLLOW, dir_fd=self.descriptor), self.path / name)
        except OSError as error:
            raise self._named(error, name) from None

    def open(self, name: str, owner: int | None = None) -> BinaryIO:
        """Open a regular file for reading; raise :class:`Unsafe` for anything else, without waiting for it.

        With ``owner`` the file must belong to that user, and have no other name.
        """
        try:
            descriptor = os.open(self._checked(name), _READ, dir_fd=self.descriptor)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise self._unsafe(errno.ELOOP, "is a link, and links are not followed here", name) from None
            if error.errno == errno.ENXIO:
                raise self._unsafe(errno.ENXIO, "is no regular file", name) from None
            raise self._named(error, name) from None
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise self._unsafe(errno.EINVAL, "is no regular file", name)
            if owner is not None and (status.st_uid != owner or status.st_nlink != 1):
                raise self._unsafe(errno.EPERM, f"is not user {owner}'s own", name)
            return os.fdopen(descriptor, "rb")
        except BaseException:
            with contextlib.suppress(OSError):
                os.close(descriptor)
            raise

    def read(self, name: str, most: int, owner: int | None = None) -> bytes:
        """Return a regular file's content; raise :class:`Unsafe` when it has more than ``most`` bytes, and as :meth:`open`."""
        with self.open(name, owner) as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise self._unsafe(errno.EFBIG, f"has more than {most:,} bytes", name)
        return content

    def read_linked(self, path: str, most: int) -> bytes:
        """Return a regular file's content, whether it and its folders are links or not, as long as all lead to places in this folder.

        Raise :class:`Unsafe` for a link that leads out, and as :meth:`read`.
        """
        left, done, links = path.split("/"), list[str](), 0
        while left:
            name = left.pop(0)
            if name == ".." and done:
                done.pop()
                continue
            with self._at(done) as folder:
                if stat.S_ISLNK(folder.stat(name).st_mode):
                    links += 1
                    target = os.readlink(name, dir_fd=folder.descriptor)
                    if links > _MOST_LINKS or target.startswith("/"):
                        raise self._unsafe(errno.ELOOP, "is a link that leads out of its folder, or to no end", path)
                    left = [part for part in target.split("/") if part not in ("", ".")] + left
                    continue
            done.append(name)
        with self._at(done[:-1]) as folder:
            return folder.read(done[-1], most)

    # Making and changing

    def create(self, name: str, mode: int = 0o600) -> BinaryIO:
        """Make a new file with exactly this mode, and open it for writing; raise :class:`FileExistsError` when anything is there."""
        try:
            descriptor = os.open(self._checked(name), _NEW, mode, dir_fd=self.descriptor)
        except OSError as error:
            raise self._named(error, name) from None
        os.fchmod(descriptor, mode)
        return os.fdopen(descriptor, "wb")

    def write(self, name: str, content: bytes, mode: int = 0o600) -> None:
        """Make a new file of this content; raise :class:`FileExistsError` when anything is there."""
        with self.create(name, mode) as file:
            file.write(content)

    def make(self, name: str, mode: int = 0o700, *, exist_ok: bool = False) -> "Folder":
        """Make a folder with exactly this mode, and open it; with ``exist_ok`` one that is there keeps its mode."""
        try:
            os.mkdir(self._checked(name), mode, dir_fd=self.descriptor)
        except FileExistsError as error:
            if not exist_ok:
                raise self._named(error, name) from None
            return self._down(name)
        except OSError as error:
            raise self._named(error, name) from None
        made = self._down(name)
        os.fchmod(made.descriptor, mode)
        return made

    def give(self, user: int, group: int) -> None:
        """Change the owner of the folder itself."""
        os.fchown(self.descriptor, user, group)

    def set_mode(self, mode: int) -> None:
        """Change the mode of the folder itself."""
        os.fchmod(self.descriptor, mode)

    def rename(self, name: str, target: "Folder", new_name: str) -> None:
        """Move what is under a name, a link as such, into ``target``; a file there under the new name is replaced."""
        try:
            os.rename(self._checked(name), target._checked(new_name), src_dir_fd=self.descriptor, dst_dir_fd=target.descriptor)
        except OSError as error:
            raise self._named(error, name) from None

    def unlink(self, name: str) -> None:
        """Remove a file, a link, a FIFO or a socket."""
        try:
            os.unlink(self._checked(name), dir_fd=self.descriptor)
        except OSError as error:
            raise self._named(error, name) from None

    def remove(self, name: str, budget: Budget = NO_LIMIT, clock: Callable[[], float] = time.monotonic) -> None:
        """Remove what is under a name, with all that is in it, however deep that is and whatever is done to it meanwhile.

        Raise :class:`FileNotFoundError` when nothing is there, and :class:`Unremoved` when something stays: it is in a
        folder beside it then, whose name begins with :data:`REMOVING`, and can be removed as that. No other file system is entered.
        """
        if not stat.S_ISDIR(self.stat(name).st_mode):
            self.unlink(name)
            return
        # The tree is taken apart in a folder that is this process's own: each folder of it is moved there before it is emptied.
        # So no step goes deeper than two levels, and two descriptors do.
        trash = REMOVING + secrets.token_hex(8)
        with self.make(trash) as top:
            try:
                _moved(self, name, top, "0")
            except OSError:
                os.rmdir(trash, dir_fd=self.descriptor)
                raise
            _Removal(top, str(self.path / name), budget, clock).run()
        os.rmdir(trash, dir_fd=self.descriptor)

    # Sockets

    def connect(self, name: str, owner: int) -> socket.socket:
        """Return a socket, not blocking, that is connected to the unix socket under a name, if a process of ``owner`` listens there.

        Raise :class:`Unsafe` when somebody else does, before a byte is sent, and :class:`BlockingIOError` when too many
        wait already to be accepted: try again.
        """
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.setblocking(False)
            if not stat.S_ISSOCK(self.stat(name).st_mode):
                raise self._unsafe(errno.ENOTSOCK, "is no socket", name)
            connection.connect(f"/proc/self/fd/{self.descriptor}/{self._checked(name)}")
            if (listener := peer(connection)) != owner:
                raise self._unsafe(errno.EPERM, f"leads to a socket of user {listener}, not {owner}", name)
        except BaseException:
            connection.close()
            raise
        return connection

    # Inside

    def _at(self, names: list[str]) -> "Folder":
        return self.enter("/".join(names)) if names else Folder(os.dup(self.descriptor), self.path)

    def _down(self, name: str) -> "Folder":
        try:
            return Folder(os.open(self._checked(name), _FOLDER, dir_fd=self.descriptor), self.path / name)
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                raise self._unsafe(errno.ENOTDIR, "is a link or a file, and must be a folder", name) from None
            raise self._named(error, name) from None

    def _checked(self, name: str) -> str:
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise self._unsafe(errno.EINVAL, f"{name!r} is no name of a file", ".")
        return name

    def _unsafe(self, number: int, why: str, name: str) -> Unsafe:
        return Unsafe(number, why, str(self.path / name))

    def _named(self, error: OSError, name: str) -> OSError:
        return error if isinstance(error, Unsafe) else OSError(error.errno, error.strerror, str(self.path / name))


def peer(connection: socket.socket) -> int:
    """Return the user of the process that listens at, or connected, the other end of a unix socket; 2³²-1 when there is none."""
    _pid, user, _group = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return int(user) & 0xFFFFFFFF


class _Removal:
    """Empties ``top``, a folder of this process's own."""

    def __init__(self, top: Folder, what: str, budget: Budget, clock: Callable[[], float]) -> None:
        self._top = top
        self._what = what
        self._budget = budget
        self._clock = clock
        self._until = None if budget.seconds is None else clock() + budget.seconds
        self._device = top.status().st_dev
        self._entries = 0
        self._count = 0
        self._why: dict[str, str] = {}

    def run(self) -> None:
        while waiting := [name for name in self._top.names() if name not in self._why]:
            for name in waiting:
                self._take(name)
        if self._why:
            raise Unremoved(errno.ENOTEMPTY, f"some of it stays: {next(iter(self._why.values()))}", self._what)

    def _take(self, name: str) -> None:
        """Empty a folder of the top, and remove it; if that cannot be, note why."""
        try:
            if not stat.S_ISDIR(self._top.stat(name).st_mode):  # it was swapped just before it was moved
                self._top.unlink(name)
                return
            with _unlocked(self._top, name) as folder:
                if folder.status().st_dev != self._device:
                    raise OSError(errno.EXDEV, "it is another file system")
                for _ in range(_PASSES):
                    self._empty(folder)
                    if self._is_removed(name):
                        return
                raise OSError(errno.ENOTEMPTY, "somebody goes on writing to it")
        except Unremoved:
            raise
        except OSError as error:
            self._why[name] = error.strerror or str(error)

    def _empty(self, folder: Folder) -> None:
        """Take out all that can be; raise the first error at the end."""
        first: OSError | None = None
        for entry in folder.scan():
            self._spend()
            try:
                if entry.is_folder:
                    self._count += 1
                    _moved(folder, entry.name, self._top, str(self._count))
                else:
                    folder.unlink(entry.name)
            except (FileNotFoundError, IsADirectoryError):
                pass  # somebody was faster; the next pass takes what it has become
            except OSError as error:
                first = first or error
        if first is not None:
            raise first

    def _is_removed(self, name: str) -> bool:
        try:
            os.rmdir(name, dir_fd=self._top.descriptor)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            return False
        return True

    def _spend(self) -> None:
        self._entries += 1
        if self._budget.entries is not None and self._entries > self._budget.entries:
            raise Unremoved(errno.ENOTEMPTY, f"it has more than {self._budget.entries:,} files and folders", self._what)
        if self._until is not None and self._clock() > self._until:
            raise Unremoved(errno.ENOTEMPTY, f"removing it takes more than {self._budget.seconds:g} s", self._what)


def _moved(folder: Folder, name: str, target: Folder, new_name: str) -> None:
    """Move a folder, also one that its owner, who is this process, has closed to himself."""
    try:
        folder.rename(name, target, new_name)
    except PermissionError:
        _unlocked(folder, name).close()
        folder.rename(name, target, new_name)


def _unlocked(folder: Folder, name: str) -> Folder:
    """Open a folder, and see that its owner may change what is in it: without root's capabilities that takes its mode."""
    if os.geteuid() != 0:
        held = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder.descriptor)
        try:
            os.chmod(f"/proc/self/fd/{held}", 0o700)  # noqa: PTH101  (by descriptor)
        finally:
            os.close(held)
    return folder._down(name)
