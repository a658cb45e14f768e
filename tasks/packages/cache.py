"""Installed packages on the file system that all builds share.

An entry is a library with one package: ``<folder>/<platform>/<name>/<version>-<hash>/<name>``. It
is written elsewhere and moved to its place by one rename. It is therefore complete or absent, even
if other builds make the same one or a build is killed. Entries never change and belong to root. The
R of every app may read them.
"""

import os
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from machine.untrusted import Folder
from tasks.discard import discard
from tasks.packages.freeze import freeze, sync

INCOMING = ".incoming"
_LEFT = 24 * 3600.0
"""Seconds after which contents of :attr:`Cache.incoming` belong to a build that was killed."""


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
        """Make the folders, and remove what builds that were killed long ago left behind."""
        for folder in (self.folder, self.folder / self.platform):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o755)
        self.incoming.mkdir(exist_ok=True, mode=0o700)
        for left in self.incoming.iterdir():
            if time.time() - left.lstat().st_mtime > _LEFT:
                discard(left)

    def library(self, entry: str) -> Path:
        """Return an entry's library, whether it exists or not."""
        return self.folder / self.platform / entry

    def use(self, entry: str) -> bool:
        """Return whether an entry exists, and mark it as used.

        It then exists for a long time (:mod:`tasks.packages.sweep`).
        """
        try:
            os.utime(self.library(entry))
        except FileNotFoundError:
            return False
        return True

    def keep(self, entry: str, package: Folder, owner: int) -> Path:
        """Put a package into the cache; return its library, or that of a faster build.

        Untrusted code made ``package``, as the user ``owner``. Raise :class:`NotInstalled` if it
        does not consist of files.
        """
        library = self.library(entry)
        beside = self.incoming / uuid.uuid4().hex
        beside.mkdir(mode=0o755)
        try:
            freeze(package, beside / package.path.name, owner)
            beside.chmod(0o755)
            library.parent.mkdir(exist_ok=True, mode=0o755)
            try:
                beside.rename(library)
            except OSError:
                if not library.is_dir():
                    raise
            sync(library.parent)
        finally:
            discard(beside)
        return library
