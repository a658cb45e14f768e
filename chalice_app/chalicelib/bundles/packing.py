"""Packs files into a zip so that equal files make equal bytes."""

import stat
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePath
from typing import IO, BinaryIO

LEFT_OUT = frozenset(
    {".git", ".svn", ".Rproj.user", ".Rhistory", ".RData", ".DS_Store", "__MACOSX", "node_modules", ".venv", "rsconnect", ".sheen"}
)
"""What belongs to an author's tools and not to the app."""
_LIBRARIES = {
    *(("renv", name) for name in ("library", "local", "staging", "sandbox", "python")),
    *(("packrat", name) for name in ("lib", "lib-R", "lib-ext", "src")),
}
"""Packages as they are installed on the author's machine; the lock file beside them says how to get them."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The oldest time that a zip can say; the same for every entry, so that equal folders make equal bundles."""


def is_left_out(path: PurePath) -> bool:
    """Say whether a file or folder stays out of a bundle; ``path`` is relative to the app's folder."""
    return bool(LEFT_OUT.intersection(path.parts)) or path.parts[:2] in _LIBRARIES


def zip_files(
    names: Iterable[str], read: Callable[[str], BinaryIO], bundle: IO[bytes] | Path, links: Mapping[str, str] | None = None
) -> None:
    """Zip files, named by paths with ``/`` and opened by ``read``, into ``bundle``, and ``links``: path → where it leads, from the
    link's folder."""
    with zipfile.ZipFile(bundle, "w") as archive:
        for name in names:
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            with read(name) as source, archive.open(entry, "w", force_zip64=True) as target:
                while block := source.read(1 << 20):
                    target.write(block)
        for name, leads_to in (links or {}).items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = 3  # Unix: it has links
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, leads_to)
