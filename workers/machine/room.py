"""A mount namespace of its own for each worker, where the machine allows it: what is not the app's is not there.

Files are kept apart by users and modes already. In a room other apps' folders have no name at all, ``/tmp`` and ``/dev/shm`` are the
worker's own, and its user has a name. It takes CAP_SYS_ADMIN: there is none on Fargate, where a task has one app only.
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

_CLONE_NEWNS = 0x00020000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_SLAVE = 1, 2, 4, 32, 4096, 16384, 1 << 19
_SHARED_MEMORY = "mode=1777,size=256m"
_EMPTY = "mode=755,size=1m"


@dataclass(frozen=True, slots=True)
class Seen:
    """A folder that is there."""

    path: Path
    """Where it is seen."""
    source: Path
    """Where it is. All above it is root's own, and who may enter that is not asked: who may enter it, its own mode has to say."""
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A link that is there, in a hidden folder."""

    path: Path
    leads_to: str


@dataclass(frozen=True, slots=True)
class View:
    """What a worker finds."""

    hidden: tuple[Path, ...]
    """Folders of which only what is ``seen`` is left."""
    seen: tuple[Seen, ...]
    temporary: Path
    """What ``/tmp`` and ``/var/tmp`` are."""
    links: tuple[Link, ...] = ()
    files: tuple[tuple[Path, Path], ...] = ()
    """Files that others stand for: (what is there, what is seen)."""


@functools.cache
def possible() -> bool:
    """Whether this process may make rooms."""
    try:
        os.close(_apart(lambda: None))
    except OSError:
        return False
    return True


def make(view: View) -> int:
    """Return a descriptor of a new mount namespace, for ``nsenter`` or ``setns``; it lasts as long as that is open or a process is in it.

    Raise :class:`OSError`.
    """
    return _apart(lambda: _furnish(view))


def _apart(furnish: Callable[[], None]) -> int:
    """Call ``furnish`` in a new mount namespace: in a thread that ends with it, for a thread can have one of its own."""
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
        sources = [(seen, held.enter_context(_folder(seen.source))) for seen in view.seen]  # before anything is hidden
        temporary = held.enter_context(Folder.at(view.temporary))
        for place in ("/tmp", "/var/tmp"):  # noqa: S108
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
    """A folder, made with those above it where one is missing: in what was put there for this room, as the others are there."""
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


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    def told(text: str | None) -> bytes | None:
        return None if text is None else os.fsencode(text)

    _call("mount", told(source), told(target), told(kind), ctypes.c_ulong(flags), told(data), of=target)


def _call(name: str, *arguments: object, of: str = "") -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        number = ctypes.get_errno() or errno.EPERM
        raise OSError(number, f"{name}: {os.strerror(number)}", of)
