"""A separate mount namespace ("room") for each worker, where the machine allows it.

Users and modes already keep the files of apps apart. In a room, other apps' folders do not even
have a name, ``/tmp`` and ``/dev/shm`` are the worker's own, and the worker's user has a name.
Making a room takes CAP_SYS_ADMIN. Fargate has no such capability, and there a task runs only one
app.
"""

import contextlib
import ctypes
import errno
import functools
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from machine.untrusted import Folder

TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108
"""Folders of the machine that each room has for itself."""
_CLONE_NEWNS = 0x00020000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_SLAVE = (
    1,
    2,
    4,
    32,
    4096,
    16384,
    1 << 19,
)
_SHARED_MEMORY = "mode=1777,size=256m"
_EMPTY = "mode=755,size=1m"


@dataclass(frozen=True, slots=True)
class VisibleFolder:
    """A folder that is visible in the room."""

    path: Path
    """Where it is visible."""
    source: Path
    """The folder that is shown there.

    Every folder above it belongs to root, and the modes of those folders are not checked. Its own
    mode must therefore say who may enter it.
    """
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link inside a hidden folder of the room."""

    path: Path
    leads_to: str


@dataclass(frozen=True, slots=True)
class View:
    """What a worker sees in its room."""

    hidden: tuple[Path, ...]
    """Folders that appear empty except for what is ``seen``."""
    seen: tuple[VisibleFolder, ...]
    temporary: Path
    """The folder that appears as ``/tmp`` and as ``/var/tmp``."""
    links: tuple[Link, ...] = ()
    files: tuple[tuple[Path, Path], ...] = ()
    """Files that are replaced by others: pairs of (file that is shown, path where it appears)."""


@functools.cache
def possible() -> bool:
    """Return whether this process may make rooms."""
    try:
        os.close(_apart(lambda: None))
    except OSError:
        return False
    return True


def make(view: View) -> int:
    """Return a descriptor of a new mount namespace, for ``nsenter`` or ``setns``.

    The namespace lasts as long as the descriptor is open or a process is in it.

    Raise :class:`OSError` if it cannot be made.
    """
    return _apart(lambda: _furnish(view))


def _apart(furnish: Callable[[], None]) -> int:
    """Call ``furnish`` in a new mount namespace, and return a descriptor of that namespace.

    This happens in a thread of its own, because a thread can have its own mount namespace.
    """
    made: list[int] = []
    failed: list[OSError] = []

    def run() -> None:
        try:
            _call("unshare", _CLONE_NEWNS)
            _mount(None, "/", None, _MS_REC | _MS_SLAVE)
            furnish()
            made.append(os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="room")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return made[0]


def _furnish(view: View) -> None:
    with contextlib.ExitStack() as held:
        # Open the sources before anything is hidden.
        sources = [(seen, held.enter_context(_folder(seen.source))) for seen in view.seen]
        temporary = held.enter_context(Folder.at(view.temporary))
        for place in TEMPORARY:
            _mount(_descriptor(temporary), place, None, _MS_BIND)
        _mount("none", "/dev/shm", "tmpfs", _MS_NOSUID | _MS_NODEV, _SHARED_MEMORY)  # noqa: S108
        for path in view.hidden:
            with _made(path) as empty:
                _mount("none", _descriptor(empty), "tmpfs", _MS_NOSUID | _MS_NODEV, _EMPTY)
        for seen, source in sources:
            with _made(seen.path) as there:
                _mount(_descriptor(source), _descriptor(there), None, _MS_BIND | _MS_REC)
            if not seen.writable:
                _read_only(seen.path)
        for link in view.links:
            with _made(link.path.parent) as there:
                os.symlink(link.leads_to, link.path.name, dir_fd=there.descriptor)
        for path in view.hidden:
            _read_only(path)
        for file, path in view.files:
            _mount(str(file), str(path), None, _MS_BIND)
            _read_only(path)


def _read_only(path: Path) -> None:
    _mount(None, str(path), None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID | _MS_NODEV)


def _folder(path: Path) -> Folder:
    with Folder.at(path.parent) as above:
        return above.enter(path.name)


@contextlib.contextmanager
def _made(path: Path) -> Iterator[Folder]:
    """Yield the folder at ``path``, and make it and its missing parents.

    Folders are made only inside what was mounted for this room; the other parents already exist.
    """
    folder = Folder.at(Path("/"))
    try:
        for name in path.parts[1:]:
            below = folder.make(name, 0o755, exist_ok=True)
            folder.close()
            folder = below
        yield folder
    finally:
        folder.close()


def _descriptor(folder: Folder) -> str:
    return f"/proc/thread-self/fd/{folder.descriptor}"


def _mount(
    source: str | None, target: str, kind: str | None, flags: int, data: str | None = None
) -> None:
    def told(text: str | None) -> bytes | None:
        return None if text is None else os.fsencode(text)

    _call(
        "mount",
        told(source),
        told(target),
        told(kind),
        ctypes.c_ulong(flags),
        told(data),
        of=target,
    )


def _call(name: str, *arguments: object, of: str = "") -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        number = ctypes.get_errno() or errno.EPERM
        raise OSError(number, f"{name}: {os.strerror(number)}", of)
