"""Root's only way to files, folders and sockets that an app, an upload or a package may have made.

A user who may write to a folder can put a link, a FIFO or a socket where root expects a file, and
can swap one for the other between two calls. So nothing here works by path. A :class:`Folder` is
held by its descriptor, each step down is a single name that is not followed if it is a link, and an
opened file is checked before it is used.

Every failure is an :class:`OSError`. Something of the wrong kind, owner or name raises
:class:`Unsafe`.
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
"""Levels that :meth:`Folder.walk` goes down; it keeps two descriptors open for each."""
REMOVING = ".removing-"
"""Prefix of the folder in which :meth:`Folder.remove` takes a tree apart."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CREDENTIALS = struct.Struct("=3i")
_MOST_LINKS = 40
"""Links followed on the way to one file; Linux has the same limit."""
_PASSES = 100
"""Passes over a folder to which another process keeps writing, before removal gives up."""


class Unsafe(OSError):
    """Something is of the wrong kind: a link, a FIFO, another user's file, a name with a slash."""

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


class Unremoved(OSError):
    """Part of a tree could not be removed; the message says what, and why."""

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


class Budget(NamedTuple):
    """Limits of one removal; it gives up when it exceeds one."""

    entries: int | None = None
    """Number of files and folders."""
    seconds: float | None = None


NO_LIMIT = Budget()


class FolderEntry(NamedTuple):
    """One name in a folder; a link is reported as a link, not followed."""

    name: str
    status: os.stat_result

    @property
    def is_folder(self) -> bool:
        """Whether this is a folder."""
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def is_file(self) -> bool:
        """Whether this is a regular file."""
        return stat.S_ISREG(self.status.st_mode)

    @property
    def is_link(self) -> bool:
        """Whether this is a symbolic link."""
        return stat.S_ISLNK(self.status.st_mode)


class TreeEntry(NamedTuple):
    """One entry of a tree."""

    folder: "Folder"
    """The folder that contains the entry; it stays open until the next step of the walk."""
    path: str
    """Path of the entry, relative to the start of the walk."""
    entry: FolderEntry


class Usage(NamedTuple):
    """Size of a folder's content."""

    bytes: int
    """Bytes on the disk."""
    entries: int
    """Number of files and folders."""
    complete: bool
    """False if there is more that was not counted."""


class Folder:
    """A folder, held by its descriptor even if its path changes.

    Close it, or use it as a context manager.
    """

    def __init__(self, descriptor: int, path: Path) -> None:
        """Take over ``descriptor``; ``path`` is for messages only."""
        self.descriptor = descriptor
        self.path = path

    @classmethod
    def at(cls, trusted: Path) -> Self:
        """Open a folder whose whole path only root, or this process's user, can change.

        Links on the way are followed.
        """
        return cls(os.open(trusted, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), trusted)

    def close(self) -> None:
        """Close the descriptor; a second call does nothing."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # Looking

    def status(self) -> os.stat_result:
        """Return the status of the folder itself."""
        return os.fstat(self.descriptor)

    def stat(self, name: str) -> os.stat_result:
        """Return the status of an entry; for a link, the status of the link itself."""
        return os.stat(self._checked(name), dir_fd=self.descriptor, follow_symlinks=False)

    def names(self) -> list[str]:
        """Return the names of all entries, in no order."""
        return os.listdir(self.descriptor)  # noqa: PTH208  (by descriptor)

    def scan(self) -> Iterator[FolderEntry]:
        """Yield all entries, in no order; entries that vanish meanwhile are left out."""
        with os.scandir(self.descriptor) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    yield FolderEntry(entry.name, entry.stat(follow_symlinks=False))

    def walk(self, deepest: int = DEEPEST) -> Iterator[TreeEntry]:
        """Yield all entries of the tree below this folder, each folder before its content.

        Links and other file systems are not entered. A folder that vanishes or becomes something
        else meanwhile is skipped.

        Raise :class:`Unsafe` if the tree is deeper than ``deepest`` levels.
        """
        device = self.status().st_dev
        with contextlib.ExitStack() as opened:
            levels: list[tuple[Folder, str, Iterator[FolderEntry]]] = [(self, "", self.scan())]
            while levels:
                folder, path, entries = levels[-1]
                entry = next(entries, None)
                if entry is None:
                    levels.pop()
                    if folder is not self:
                        folder.close()
                    continue
                yield TreeEntry(folder, path + entry.name, entry)
                if not entry.is_folder or entry.status.st_dev != device:
                    continue
                if len(levels) > deepest:
                    raise Unsafe(
                        errno.ELOOP,
                        f"is deeper than {deepest} levels",
                        str(self.path / path / entry.name),
                    )
                with contextlib.suppress(FileNotFoundError, Unsafe):
                    below = opened.enter_context(folder._down(entry.name))
                    levels.append((below, f"{path}{entry.name}/", below.scan()))

    def usage(self, most: int, deepest: int = DEEPEST) -> Usage:
        """Return how much the folder contains.

        Counting stops after ``most`` files and folders, or below ``deepest`` levels.
        """
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
        """Open a folder below this one, name by name.

        Raise :class:`Unsafe` if a name is a link or anything else that is not a folder.
        """
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
        """Open a folder, or follow a link to it that this process's user has made.

        Only this user must be able to change the folder that contains the name. Raise
        :class:`Unsafe` if another user made the entry.
        """
        if self.stat(name).st_uid != os.geteuid():
            raise self._unsafe(errno.EPERM, "was made by another user", name)
        try:
            return Folder(
                os.open(self._checked(name), _FOLDER & ~os.O_NOFOLLOW, dir_fd=self.descriptor),
                self.path / name,
            )
        except OSError as error:
            raise self._named(error, name) from None

    def open(self, name: str, owner: int | None = None) -> BinaryIO:
        """Open a regular file for reading, without blocking.

        Raise :class:`Unsafe` for anything else. If ``owner`` is given, the file must belong to that
        user and have no other name.
        """
        try:
            descriptor = os.open(self._checked(name), _READ, dir_fd=self.descriptor)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise self._unsafe(
                    errno.ELOOP, "is a link, and links are not followed here", name
                ) from None
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
        """Return the content of a regular file.

        Raise :class:`Unsafe` if it has more than ``most`` bytes, and for the same reasons as
        :meth:`open`.
        """
        with self.open(name, owner) as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise self._unsafe(errno.EFBIG, f"has more than {most:,} bytes", name)
        return content

    def read_linked(self, path: str, most: int) -> bytes:
        """Return the content of a regular file, and follow links that stay in this folder.

        Both the file and the folders on its path may be links.

        Raise :class:`Unsafe` if a link leads out of this folder, and for the same reasons as
        :meth:`read`.
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
                        raise self._unsafe(
                            errno.ELOOP,
                            "is a link that leads out of its folder, or to no end",
                            path,
                        )
                    left = [part for part in target.split("/") if part not in ("", ".")] + left
                    continue
            done.append(name)
        with self._at(done[:-1]) as folder:
            return folder.read(done[-1], most)

    # Making and changing

    def create(self, name: str, mode: int = 0o600) -> BinaryIO:
        """Make a new file with exactly this mode, and open it for writing.

        Raise :class:`FileExistsError` if the name exists.
        """
        try:
            descriptor = os.open(self._checked(name), _NEW, mode, dir_fd=self.descriptor)
        except OSError as error:
            raise self._named(error, name) from None
        os.fchmod(descriptor, mode)
        return os.fdopen(descriptor, "wb")

    def write(self, name: str, content: bytes, mode: int = 0o600) -> None:
        """Make a new file with this content; raise :class:`FileExistsError` if the name exists."""
        with self.create(name, mode) as file:
            file.write(content)

    def make(self, name: str, mode: int = 0o700, *, exist_ok: bool = False) -> "Folder":
        """Make a folder with exactly this mode, and open it.

        With ``exist_ok``, an existing folder is opened and keeps its mode.
        """
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
        """Move an entry into ``target``, and replace a file that has the new name there.

        A link is moved itself, not what it leads to.
        """
        try:
            os.rename(
                self._checked(name),
                target._checked(new_name),
                src_dir_fd=self.descriptor,
                dst_dir_fd=target.descriptor,
            )
        except OSError as error:
            raise self._named(error, name) from None

    def unlink(self, name: str) -> None:
        """Remove a file, a link, a FIFO or a socket."""
        try:
            os.unlink(self._checked(name), dir_fd=self.descriptor)
        except OSError as error:
            raise self._named(error, name) from None

    def remove(
        self, name: str, budget: Budget = NO_LIMIT, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Remove an entry with everything below it, however deep, even while others write to it.

        No other file system is entered.

        Raise :class:`FileNotFoundError` if the entry does not exist, and :class:`Unremoved` if
        something stays. What stays is then in a folder beside the entry, whose name begins with
        :data:`REMOVING`. That folder can be removed in the same way.
        """
        if not stat.S_ISDIR(self.stat(name).st_mode):
            self.unlink(name)
            return
        # The tree is taken apart in a folder that belongs to this process: every folder of the tree
        # is moved there before it is emptied. So no step goes deeper than two levels, and two
        # descriptors suffice.
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
        """Connect to the unix socket ``name``, at which a process of ``owner`` must listen.

        Return a non-blocking socket.

        Raise :class:`Unsafe` if a process of another user listens there; no byte has been sent
        then. Raise :class:`BlockingIOError` if too many connections already wait to be accepted;
        the caller can try again.
        """
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.setblocking(False)
            if not stat.S_ISSOCK(self.stat(name).st_mode):
                raise self._unsafe(errno.ENOTSOCK, "is no socket", name)
            connection.connect(f"/proc/self/fd/{self.descriptor}/{self._checked(name)}")
            if (listener := peer(connection)) != owner:
                raise self._unsafe(
                    errno.EPERM, f"leads to a socket of user {listener}, not {owner}", name
                )
        except BaseException:
            connection.close()
            raise
        return connection

    # Inside

    def _at(self, names: list[str]) -> "Folder":
        return self.enter("/".join(names)) if names else Folder(os.dup(self.descriptor), self.path)

    def _down(self, name: str) -> "Folder":
        try:
            return Folder(
                os.open(self._checked(name), _FOLDER, dir_fd=self.descriptor), self.path / name
            )
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                raise self._unsafe(
                    errno.ENOTDIR, "is a link or a file, and must be a folder", name
                ) from None
            raise self._named(error, name) from None

    def _checked(self, name: str) -> str:
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise self._unsafe(errno.EINVAL, f"{name!r} is no name of a file", ".")
        return name

    def _unsafe(self, number: int, why: str, name: str) -> Unsafe:
        return Unsafe(number, why, str(self.path / name))

    def _named(self, error: OSError, name: str) -> OSError:
        return (
            error
            if isinstance(error, Unsafe)
            else OSError(error.errno, error.strerror, str(self.path / name))
        )


def peer(connection: socket.socket) -> int:
    """Return the user id of the process at a unix socket's other end; 2³²-1 if there is none."""
    _pid, user, _group = _CREDENTIALS.unpack(
        connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    return int(user) & 0xFFFFFFFF


class _Removal:
    """Empties ``top``, a folder that belongs to this process."""

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
            raise Unremoved(
                errno.ENOTEMPTY, f"some of it stays: {next(iter(self._why.values()))}", self._what
            )

    def _take(self, name: str) -> None:
        """Empty a folder of ``top`` and remove it; if that fails, note why."""
        try:
            # It was swapped just before it was moved.
            if not stat.S_ISDIR(self._top.stat(name).st_mode):
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
        """Take out all entries that can be moved or removed; raise the first error at the end."""
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
                # Another process was faster. The next pass takes whatever the entry has become.
                pass
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
            raise Unremoved(
                errno.ENOTEMPTY,
                f"it has more than {self._budget.entries:,} files and folders",
                self._what,
            )
        if self._until is not None and self._clock() > self._until:
            raise Unremoved(
                errno.ENOTEMPTY,
                f"removing it takes more than {self._budget.seconds:g} s",
                self._what,
            )


def _moved(folder: Folder, name: str, target: Folder, new_name: str) -> None:
    """Move a folder, even if its owner (this process's user) has no permission on it."""
    try:
        folder.rename(name, target, new_name)
    except PermissionError:
        _unlocked(folder, name).close()
        folder.rename(name, target, new_name)


def _unlocked(folder: Folder, name: str) -> Folder:
    """Open a folder, and make sure that its owner may change its content.

    Without root's capabilities, that depends on the folder's mode, which is therefore set first.
    """
    if os.geteuid() != 0:
        held = os.open(
            name,
            os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC,
            dir_fd=folder.descriptor,
        )
        try:
            os.chmod(f"/proc/self/fd/{held}", 0o700)  # noqa: PTH101  (by descriptor)
        finally:
            os.close(held)
    return folder._down(name)
