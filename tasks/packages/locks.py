"""Which of an app's lock files holds."""

from collections.abc import Callable
from pathlib import Path

from chalicelib.bundles.manifest import LARGEST
from tasks.packages import manifest, packrat, renv
from tasks.packages.errors import BadLock
from tasks.packages.lock import Lock

READERS: tuple[tuple[str, Callable[[str, str], Lock | None]], ...] = (
    (manifest.FILE, manifest.read),
    (renv.FILE, renv.read),
    *((file, packrat.read) for file in packrat.FILES),
)
"""In this order. ``manifest.json`` comes first: rsconnect writes it when it publishes, from the library that the author has then (by renv's
lock, if there is one), and puts a packrat.lock of the same into the bundle. The others are older."""


def find(app: Path) -> Lock | None:
    """Return what the app's lock file wants; None when it has none, or only one that wants nothing.

    Raise :class:`BadLock` that names the file.
    """
    for name, read in READERS:
        path = app / name
        if not path.is_file():
            continue
        if path.stat().st_size > LARGEST:
            raise BadLock(f"{name}: it has {path.stat().st_size:,} bytes; a lock file has at most {LARGEST:,}")
        try:
            lock = read(path.read_text(encoding="utf-8-sig"), name)
        except UnicodeDecodeError:
            raise BadLock(f"{name}: it is not UTF-8; save it as that") from None
        if lock is not None and lock.packages:
            return lock
    return None
