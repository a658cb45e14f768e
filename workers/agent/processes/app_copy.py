"""The app's own copy of its version's files, on this instance's disk.

R may write to the copy, and the version never changes. All workers of the instance share the copy,
which is gone with the instance. Root makes it while nobody else can reach it, and opens it to the
app's user when it is complete. Files of :data:`LINKED_FROM` bytes and more become links to the
version's own files, so that a start does not wait for them. R can read those, but cannot change
them.
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from agent.failure import AppStartFailed
from agent.log import logger
from agent.processes.quota import MOST_FILES
from machine.untrusted import Budget, Folder, Usage

LINKED_FROM = 64 * 1024**2
"""Size in bytes from which a file is linked instead of copied."""
MOST_COPIED = 2 * 1024**3
"""Most bytes that are copied; if there are more, the largest files are linked, too."""
AT_ONCE = 16
"""Parts that are copied at once.

EFS takes long for a single file, but not longer for many at once.
"""
PART = 32
"""Most files in one part."""
REMOVING = 10.0
"""Seconds to remove the copy, of the 30 that ECS gives a task to end (FACTS E1)."""
LONG = 1.0
"""Seconds after which the waiting visitors are told about the copy."""
OLD = 3600.0
"""Seconds after which a copy that no process holds counts as abandoned."""
_CHUNK = 8 * 1024**2
_PREFIX = "sheen-app-"


@dataclass(slots=True)
class _Contents:
    """The content of one folder of a version, without its subfolders' content."""

    path: str
    """Path relative to the version's folder; empty for that folder itself."""
    times: tuple[int, int]
    """Times of the last access and the last change, in nanoseconds."""
    files: list[tuple[str, int]] = field(default_factory=list)
    """Name and size of each file."""
    links: list[tuple[str, str]] = field(default_factory=list)
    """Links of the bundle: name and target of each."""


class _Part(NamedTuple):
    """Part of the content of one folder."""

    path: str
    files: list[str]
    links: list[tuple[str, str]]


def linked(sizes: Sequence[int], room: int, linked_from: int = LINKED_FROM) -> list[bool]:
    """Return for each file whether it is linked instead of copied; no I/O.

    Large files are linked. Of the others, the largest are linked until the rest fits into ``room``.

    >>> linked([10, 70, 30, 20], room=40, linked_from=64)
    [False, True, True, False]
    """
    result = [size >= linked_from for size in sizes]
    left = sum(size for size, is_linked in zip(sizes, result, strict=True) if not is_linked)
    for number in sorted(range(len(sizes)), key=lambda number: -sizes[number]):
        if left <= room:
            break
        if not result[number]:
            result[number] = True
            left -= sizes[number]
    return result


class AppCopy:
    """One copy; ``owner`` is the app's user, or None if workers run as the agent's own user."""

    def __init__(
        self,
        version: Path,
        owner: int | None,
        slow: Callable[[], None] = lambda: None,
        linked_from: int = LINKED_FROM,
        most: int = MOST_COPIED,
    ) -> None:
        """Prepare a copy; ``slow`` is called if making it takes longer than :data:`LONG`."""
        self._version = version
        self._owner = owner
        self._slow = slow
        # Without a user of its own, R could write through a link.
        self._linked_from = linked_from if owner is not None else most
        self._most = most
        self._around = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._held = _lock(self._around)
        self._making: asyncio.Task[None] | None = None
        self._given_up = threading.Event()
        self._sweeping: asyncio.Task[None] | None = None

    @property
    def version(self) -> Path:
        """The version's own folder."""
        return self._version

    @property
    def path(self) -> Path:
        """Where the copy is, or will be."""
        return self._around / self._version.name

    def begin(self) -> asyncio.Task[None]:
        """Begin to make the copy, unless that has begun; a failed attempt is repeated."""
        if self._making is None or (
            self._making.done()
            and (self._making.cancelled() or self._making.exception() is not None)
        ):
            self._making = asyncio.create_task(self._make(), name="copy of the app")
        return self._making

    async def made(self) -> None:
        """Wait until the copy is complete.

        Raise :class:`agent.failure.AppStartFailed` if it cannot be made.
        """
        try:
            await asyncio.shield(self.begin())
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                what = (
                    "The app's files do not fit on the disk of its instance: leave data out "
                    "of the bundle, or let a sync bring it."
                )
                raise AppStartFailed(what) from error
            raise AppStartFailed(
                f"The app's files could not be copied: {error.strerror}.", str(error)
            ) from error

    def usage(self) -> Usage:
        """Return how much is in it. Raise :class:`OSError` if it was not made yet."""
        with Folder.at(self._around) as around, around.enter(self._version.name) as copy:
            return copy.usage(MOST_FILES)

    def forget(self) -> None:
        """Have it made anew for the next worker; no worker is there any more."""
        self._making = None

    async def remove(self) -> None:
        """Remove the copy; no worker may still exist."""
        self._given_up.set()
        running = [task for task in (self._making, self._sweeping) if task is not None]
        await asyncio.gather(*running, return_exceptions=True)
        await asyncio.to_thread(self._remove)

    async def _make(self) -> None:
        timer = asyncio.get_running_loop().call_later(LONG, self._slow)
        try:
            await asyncio.to_thread(self._copy)
        finally:
            timer.cancel()
        self._sweeping = asyncio.create_task(
            asyncio.to_thread(sweep, self._given_up.is_set), name="sweep of copies"
        )

    def _copy(self) -> None:
        with Folder.at(self._version) as source, Folder.at(self._around) as around:
            for name in around.names():  # left by a failed attempt
                around.remove(name)
            with around.make(self._version.name) as target:
                self._fill(source, target)
            if self._owner is not None:
                around.give(0, self._owner)
                around.set_mode(0o710)

    def _fill(self, source: Folder, target: Folder) -> None:
        folders = _look(source)
        disk = os.statvfs(target.descriptor)
        room = min(self._most, disk.f_bavail * disk.f_frsize // 2)
        is_linked = iter(
            linked(
                [size for folder in folders for _, size in folder.files], room, self._linked_from
            )
        )
        parts = [part for folder in folders for part in _parts(folder, self._version, is_linked)]
        for folder in folders[1:]:
            above, _, name = folder.path.rpartition("/")
            with _below(target, above) as at:
                at.make(name).close()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for _ in pool.map(lambda part: self._copy_part(source, target, part), parts):
                pass
        for folder in reversed(folders):  # a new entry changes the folder's time
            with _below(target, folder.path) as at:
                self._settle(at.descriptor, 0o750, folder.times)

    def _copy_part(self, source: Folder, target: Folder, part: _Part) -> None:
        with _below(source, part.path) as here, _below(target, part.path) as there:
            for name, leads_to in part.links:
                os.symlink(leads_to, name, dir_fd=there.descriptor)
                if self._owner is not None:
                    os.chown(
                        name,
                        self._owner,
                        self._owner,
                        dir_fd=there.descriptor,
                        follow_symlinks=False,
                    )
            for name in part.files:
                with here.open(name) as read, there.create(name) as written:
                    self._copy_file(read.fileno(), written.fileno(), name)

    def _copy_file(self, source: int, target: int, name: str) -> None:
        about = os.fstat(source)
        while _copy_some(source, target):
            if self._given_up.is_set():
                raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED), name)
        self._settle(
            target,
            0o750 if about.st_mode & stat.S_IXUSR else 0o640,
            (about.st_atime_ns, about.st_mtime_ns),
        )

    def _settle(self, descriptor: int, mode: int, times: tuple[int, int]) -> None:
        if self._owner is not None:
            os.fchown(descriptor, self._owner, self._owner)
        os.fchmod(descriptor, mode)
        os.utime(descriptor, ns=times)

    def _remove(self) -> None:
        try:
            with Folder.at(self._around.parent) as at:
                at.remove(self._around.name, Budget(seconds=REMOVING))
        except OSError as error:
            logger.warning(f"the app's copy stays behind: {error}")
        finally:
            if self._held is not None:
                os.close(self._held)
                self._held = None


def sweep(is_over: Callable[[], bool] = lambda: False) -> None:
    """Remove the copies of killed instances, on a machine that outlives its instances.

    Stop as soon as ``is_over`` returns True.
    """
    top = Path(tempfile.gettempdir())
    for around in top.glob(f"{_PREFIX}*"):
        if is_over():
            return
        # Another process may be faster, or the copy may belong to another user.
        with contextlib.suppress(OSError):
            if time.time() - around.lstat().st_mtime < OLD or (held := _lock(around)) is None:
                continue
            try:
                with Folder.at(top) as at:
                    at.remove(around.name, Budget(seconds=REMOVING))
            finally:
                os.close(held)


def _lock(around: Path) -> int | None:
    """Lock the folder around a copy, and return a descriptor that holds the lock.

    The lock lasts until the descriptor is closed or this process ends. Return None if another
    process holds it.
    """
    descriptor = os.open(around, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _look(version: Folder) -> list[_Contents]:
    """Return the content of a version, each folder before its subfolders."""
    about = version.status()
    found = {"": _Contents("", (about.st_atime_ns, about.st_mtime_ns))}
    for at, path, entry in version.walk():
        contents = found[path.rpartition("/")[0]]
        if entry.is_folder:
            found[path] = _Contents(path, (entry.status.st_atime_ns, entry.status.st_mtime_ns))
        elif entry.is_link:
            contents.links.append((entry.name, os.readlink(entry.name, dir_fd=at.descriptor)))
        else:
            contents.files.append((entry.name, entry.status.st_size))
    return list(found.values())


def _parts(folder: _Contents, version: Path, is_linked: Iterator[bool]) -> Iterator[_Part]:
    copied: list[str] = []
    links = list(folder.links)
    for name, _ in folder.files:
        if next(is_linked):
            links.append((name, str(version / folder.path / name)))
        else:
            copied.append(name)
    yield _Part(folder.path, [], links)
    for at in range(0, len(copied), PART):
        yield _Part(folder.path, copied[at : at + PART], [])


@contextlib.contextmanager
def _below(folder: Folder, path: str) -> Iterator[Folder]:
    if not path:
        yield folder
        return
    with folder.enter(path) as found:
        yield found


def _copy_some(source: int, target: int) -> int:
    """Copy some bytes; return how many, 0 at the end.

    Where the disk supports it, both files share the bytes.
    """
    try:
        return os.copy_file_range(source, target, _CHUNK)
    except OSError as error:
        if error.errno not in (
            errno.EXDEV,
            errno.EINVAL,
            errno.ENOSYS,
            errno.EOPNOTSUPP,
            errno.EPERM,
        ):
            raise
    return os.sendfile(target, source, None, _CHUNK)
