"""Makes a bundle of a folder."""

import hashlib
from pathlib import Path

from chalicelib.bundles.keys import ENDINGS
from chalicelib.bundles.packing import is_left_out, zip_files
from chalicelib.errors import SheenError


class NotAnApp(SheenError):
    """The folder cannot be published."""


def zip_folder(folder: Path, bundle: Path) -> str:
    """Zip ``folder`` into the file ``bundle`` and return its fingerprint: equal content gives equal fingerprints.

    Raises :class:`NotAnApp` when there is no folder, or nothing in it. What kind of app it is, is the publish's to say.
    """
    if not folder.is_dir():
        raise NotAnApp(f"{folder}: not a folder; name the folder that has the app.R, or the server.R and ui.R")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not is_left_out(path.relative_to(folder)))
    if not files:
        raise NotAnApp(f"{folder}: the folder is empty; an app needs an app.R, or a server.R with a ui.R")
    zip_files(folder, (path.relative_to(folder).as_posix() for path in files), bundle)
    return fingerprint_of(bundle)


def ending_of(bundle: Path) -> str:
    """Return how the name of a packed bundle ends; raise :class:`NotAnApp` when it is no file, or not of a kind that is published."""
    if not bundle.is_file():
        raise NotAnApp(f"{bundle}: no such folder or file; name the app's folder, or a .zip or .tar.gz of it")
    ending = next((ending for ending in ENDINGS if bundle.name.endswith(ending)), None)
    if ending is None:
        raise NotAnApp(f"{bundle}: neither a folder nor a .zip or .tar.gz; name the app's folder, or pack it as one of these")
    return ending


def fingerprint_of(bundle: Path) -> str:
    """Return the fingerprint of a packed bundle."""
    with bundle.open("rb") as packed:
        return hashlib.file_digest(packed, "sha256").hexdigest()[:12]
