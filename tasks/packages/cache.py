"""Installed packages on the file system that all builds share.

An entry is a library with one package in it: ``<folder>/<platform>/<name>/<version>-<hash>/<name>``. It is written beside and comes to
its place by one rename, so it is there whole or not at all, whoever else builds the same one and whenever one of them is killed. Entries
never change and belong to root; every app's R may read them.
"""

import os
import shutil
import stat
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tasks.packages.errors import NotInstalled

INCOMING = ".incoming"
MOST_FILES = 100_000
MOST_BYTES = 4 * 1024**3
_LEFT = 24 * 3600.0
"""Seconds after which what lies in :attr:`Cache.incoming` is of a build that was killed."""
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Cache:
    """The entries for one platform."""

    folder: Path
    platform: str

    @property
    def incoming(self) -> Path:
        """Where entries are written."""
        return self.folder / INCOMING

    def prepare(self) -> None:
        """Make the folders, and remove what builds left that were killed long ago."""
        for folder in (self.folder, self.folder / self.platform):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o755)
        self.incoming.mkdir(exist_ok=True, mode=0o700)
        for left in self.incoming.iterdir():
            if time.time() - left.lstat().st_mtime > _LEFT:
                shutil.rmtree(left, ignore_errors=True)

    def library(self, entry: str) -> Path:
        """Return an entry's library, whether it is there or not."""
        return self.folder / self.platform / entry

    def use(self, entry: str) -> bool:
        """Say whether it is there; then it will be for a long time (:mod:`tasks.packages.sweep`)."""
        try:
            os.utime(self.library(entry))
        except FileNotFoundError:
            return False
        return True

    def keep(self, entry: str, package: Path, owner: int) -> Path:
        """Put a package into the cache and return its library: that of another build, if that was faster.

        ``package`` was made by code that nobody knows, as the user ``owner``. Raise :class:`NotInstalled` when it is not made of files.
        """
        library = self.library(entry)
        beside = self.incoming / uuid.uuid4().hex
        beside.mkdir(mode=0o755)
        try:
            freeze(package, beside / package.name, owner)
            beside.chmod(0o755)
            library.parent.mkdir(exist_ok=True, mode=0o755)
            try:
                beside.rename(library)
            except OSError:
                if not library.is_dir():
                    raise
            sync(library.parent)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        return library


def freeze(package: Path, target: Path, owner: int) -> None:
    """Copy an installed package for everyone to read and nobody to write, and see it on disk.

    Follows no link, and takes nothing that ``owner`` did not make: the code that made it could have linked to what it may not read. Raise
    :class:`NotInstalled`.
    """
    files = size = 0
    for source, entry in _walk(package):
        to = target / source.relative_to(package)
        if entry.st_uid != owner:
            raise NotInstalled(f'"{source.name}" in it is not its own file')
        if stat.S_ISDIR(entry.st_mode):
            to.mkdir(mode=0o755)
        elif stat.S_ISREG(entry.st_mode):
            _copy(source, to, 0o755 if entry.st_mode & 0o100 else 0o644)
        elif stat.S_ISLNK(entry.st_mode):
            leads = source.readlink()
            if leads.is_absolute() or not (source.parent / leads).resolve().is_relative_to(package.resolve()):
                raise NotInstalled(f'"{source.name}" in it is a link out of the package')
            to.symlink_to(leads)
        else:
            raise NotInstalled(f'"{source.name}" in it is neither file nor folder')
        files, size = files + 1, size + entry.st_size
        if files > MOST_FILES or size > MOST_BYTES:
            raise NotInstalled(f"it has more than {MOST_FILES:,} files or {MOST_BYTES:,} bytes")
    for folder, _folders, _files in os.walk(target, topdown=False):
        Path(folder).chmod(0o755)
        sync(Path(folder))


def sync(folder: Path) -> None:
    """See a folder's entries on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _walk(package: Path) -> Iterator[tuple[Path, os.stat_result]]:
    yield package, package.lstat()
    for folder, folders, files in os.walk(package):
        for name in (*folders, *files):
            path = Path(folder, name)
            yield path, path.lstat()


def _copy(source: Path, to: Path, mode: int) -> None:
    with (
        open(os.open(source, os.O_RDONLY | os.O_NOFOLLOW), "rb") as data,  # noqa: PTH123
        open(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out,  # noqa: PTH123
    ):
        shutil.copyfileobj(data, out, _CHUNK)
        out.flush()
        os.fchmod(out.fileno(), mode)
        os.fsync(out.fileno())
