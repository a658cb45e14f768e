"""Decide which of an app's lock files applies."""

from collections.abc import Callable
from pathlib import Path

from chalicelib.publishing.manifest import LARGEST
from tasks.packages import manifest, packrat, renv
from tasks.packages.lock import Lock
from tasks.packages.lock_files import read_text

READERS: tuple[tuple[str, Callable[[str, str], Lock | None]], ...] = (
    (manifest.FILE, manifest.read),
    (renv.FILE, renv.read),
    *((file, packrat.read) for file in packrat.FILES),
)
"""Readers of lock files, in order of precedence.

``manifest.json`` comes first. rsconnect writes it on publishing, from the author's library at that
time (by renv's lock, if there is one), and adds a packrat.lock with the same contents. The other
lock files are older.
"""


def find(app: Path) -> Lock | None:
    """Return the contents of the app's lock file, or None if it has none or wants nothing.

    Raise :class:`tasks.packages.errors.BadLock` that names the file.
    """
    for name, read in READERS:
        text = read_text(app, name, LARGEST)
        lock = read(text, name) if text is not None else None
        if lock is not None and lock.packages:
            return lock
    return None
