"""Remove unused packages and sources from the package cache.

A package is unused if no library links to it. Both must have been unused for a long time.
"""

import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from chalicelib.layout import LIBRARY
from tasks.discard import discard
from tasks.packages.cache import INCOMING

UNUSED = 90 * 86400.0
"""Seconds without use; a build marks an entry or source as used by its time of change."""
EVERY = 86400.0
"""Seconds between two sweeps; a sweep reads every library's links."""
SOURCES = "sources"


def sweep(packages: Path, apps: Path, now: float | None = None) -> list[str]:
    """Sweep the cache in ``packages`` if it is time to; return what was removed.

    ``apps`` is the folder of the versions' libraries.
    """
    now = time.time() if now is None else now
    mark = packages / ".swept"
    try:
        if now - mark.stat().st_mtime < EVERY:
            return []
    except FileNotFoundError:
        if not packages.is_dir():
            return []
    mark.touch()
    os.utime(mark, (now, now))
    removed = []
    old = [entry for entry in _entries(packages) if _is_unused(entry, now)]
    linked = _linked(apps) if old else set()
    for entry in old:
        # One rename moves the entry away, so that existing entries are complete. It is moved only
        # if no build has used it meanwhile.
        if str(entry) not in linked and _is_unused(entry, now):
            aside = packages / INCOMING / uuid.uuid4().hex
            entry.rename(aside)
            discard(aside)
            removed.append(entry.relative_to(packages).as_posix())
    for source in (packages / SOURCES).glob("*/*"):
        if _is_unused(source, now):
            source.unlink(missing_ok=True)
            removed.append(source.relative_to(packages).as_posix())
    return removed


def _entries(packages: Path) -> Iterator[Path]:
    """Yield the entries, as ``<platform>/<name>/<version>-<hash>``."""
    return packages.glob("R-*/*/*")


def _is_unused(path: Path, now: float) -> bool:
    try:
        return now - path.stat().st_mtime > UNUSED
    except FileNotFoundError:
        return False


def _linked(apps: Path) -> set[str]:
    """Return the entries that libraries link to, as absolute paths."""
    links = (link for link in apps.glob(f"*/*{LIBRARY}/*") if link.is_symlink())
    return {os.path.normpath(link.parent / link.readlink().parent) for link in links}
