"""Makes a bundle of a folder."""

import hashlib
import zipfile
from pathlib import Path

from chalicelib.errors import SheenError

LEFT_OUT = {
    ".git", ".svn", ".Rproj.user", ".Rhistory", ".RData", ".DS_Store", "__MACOSX", "node_modules", ".venv", "rsconnect", ".sheen",
}  # fmt: skip
"""What belongs to an author's tools and not to the app."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The oldest time that a zip can say; the same for every entry, so that equal folders make equal bundles."""


class NotAnApp(SheenError):
    """The folder cannot be published."""


def zip_folder(folder: Path, bundle: Path) -> str:
    """Zip ``folder`` into the file ``bundle`` and return its fingerprint: equal content gives equal fingerprints.

    Raises :class:`NotAnApp` when there is no folder, or nothing in it. What kind of app it is, is the publish's to say.
    """
    if not folder.is_dir():
        raise NotAnApp(f"{folder}: not a folder; name the folder that has the app.R, or the server.R and ui.R")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not LEFT_OUT.intersection(path.relative_to(folder).parts))
    if not files:
        raise NotAnApp(f"{folder}: the folder is empty; an app needs an app.R, or a server.R with a ui.R")
    with zipfile.ZipFile(bundle, "w") as archive:
        for path in files:
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                while block := source.read(1 << 20):
                    target.write(block)
    with bundle.open("rb") as packed:
        return hashlib.file_digest(packed, "sha256").hexdigest()[:12]
