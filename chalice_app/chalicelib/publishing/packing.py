"""Packing files into a zip, and the files of an author's folder that stay out of it."""

import hashlib
import os
import stat
import struct
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePath
from typing import IO, BinaryIO

_ANYWHERE = {
    ".git": "version control",
    ".svn": "version control",
    ".Rproj.user": "RStudio's state",
    ".Rhistory": "R's history",
    ".DS_Store": "a Mac's",
    "__MACOSX": "a Mac's",
}
"""Files of an author's tools, which are not part of the app, in any folder."""
_AT_THE_TOP = {
    ".RData": "R's saved workspace",
    ".sheen": "a local stack's data",
    ".venv": "Python packages of this machine",
    "node_modules": "JavaScript packages of this machine",
    "rsconnect": "records of rsconnect",
}
"""More such files, in the app's own folder only: further down, the app may serve them."""
_LIBRARIES = {
    *(("renv", name) for name in ("library", "local", "staging", "sandbox", "python")),
    *(("packrat", name) for name in ("lib", "lib-R", "lib-ext", "src")),
}
"""Packages installed on the author's machine; the lock file beside them says how to get them."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The oldest time that a zip can record; the true time is in an extra field."""
TIMES = 0x5455
"""The extra field of a zip's entry that records its last change, in UTC seconds since 1970."""
_TIMES = struct.Struct("<HHBI")
_WHEN_CHANGED = 1


def why_left_out(path: PurePath) -> str | None:
    """Say why a file or folder stays out of a bundle; return None if it is packed. Pure.

    ``path`` is relative to the app's folder.
    """
    if path.parts[:2] in _LIBRARIES:
        return "R packages of this machine"
    return _AT_THE_TOP.get(path.parts[0]) or next(
        (_ANYWHERE[part] for part in path.parts if part in _ANYWHERE), None
    )


def is_left_out(path: PurePath) -> bool:
    """Return whether a file or folder stays out of a bundle. Pure.

    ``path`` is relative to the app's folder.
    """
    return why_left_out(path) is not None


def zip_files(
    names: Iterable[str],
    read: Callable[[str], BinaryIO],
    bundle: IO[bytes] | Path,
    links: Mapping[str, str] | None = None,
) -> str:
    """Zip files and links into ``bundle``, and return a fingerprint.

    The fingerprint is the same for the same names, contents and execute bits. ``names`` are paths
    with ``/``, and ``read`` opens one. ``links`` maps a path to the link's target, relative to the
    link's folder. Each file keeps its execute bit and the time of its last change.
    """
    fingerprint = hashlib.sha256()
    with zipfile.ZipFile(bundle, "w") as archive:
        for name in names:
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = 3  # Unix, which has modes and links
            entry.compress_type = zipfile.ZIP_DEFLATED
            with read(name) as source:
                about = os.fstat(source.fileno())
                mode = 0o755 if about.st_mode & stat.S_IXUSR else 0o644
                entry.external_attr = (stat.S_IFREG | mode) << 16
                entry.extra = _TIMES.pack(
                    TIMES,
                    _TIMES.size - 4,
                    _WHEN_CHANGED,
                    min(max(int(about.st_mtime), 0), 2**31 - 1),
                )
                content = hashlib.sha256()
                with archive.open(entry, "w", force_zip64=True) as target:
                    while block := source.read(1 << 20):
                        target.write(block)
                        content.update(block)
            fingerprint.update(
                f"{name}\0{mode:o} {content.hexdigest()}\n".encode(errors="surrogateescape")
            )
        for name, leads_to in (links or {}).items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = 3
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, leads_to)
            fingerprint.update(f"{name}\0-> {leads_to}\n".encode(errors="surrogateescape"))
    return fingerprint.hexdigest()[:12]
