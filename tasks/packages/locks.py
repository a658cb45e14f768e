"""Which of an app's lock files holds."""

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
"""In this order. ``manifest.json`` comes first: rsconnect writes it when it publishes, from the library that the author has then (by renv's
lock, if there is one), and puts a packrat.lock of the same into the bundle. The others are older."""


def find(app: Path) -> Lock | None:
    """Return what the app's lock file wants; None when it has none, or only one that wants nothing.

    Raise :class:`tasks.packages.errors.BadLock` that names the file.
    """
    for name, read in READERS:
        text = read_text(app, name, LARGEST)
        lock = read(text, name) if text is not None else None
        if lock is not None and lock.packages:
            return lock
    return None
