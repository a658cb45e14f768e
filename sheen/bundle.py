"""Makes a bundle of a folder."""

import hashlib
import os
from pathlib import Path

from chalicelib.bundles.keys import ENDINGS
from chalicelib.bundles.packing import is_left_out, zip_files
from chalicelib.errors import SheenError


class NotAnApp(SheenError):
    """The folder cannot be published."""


def zip_folder(folder: Path, bundle: Path) -> str:
    """Zip ``folder`` into the file ``bundle`` and return its fingerprint: equal content gives equal fingerprints.

    A link to a file becomes that file; one to a folder stays a link. Raises :class:`NotAnApp` when there is no folder, or nothing in it, or
    a link to a folder leads out of it. What kind of app it is, is the publish's to say.
    """
    if not folder.is_dir():
        raise NotAnApp(f"{folder}: not a folder; name the folder that has the app.R, or the server.R and ui.R")
    paths = sorted(path for path in folder.rglob("*") if not is_left_out(path.relative_to(folder)))
    files = [path for path in paths if path.is_file()]
    if not files:
        raise NotAnApp(f"{folder}: the folder is empty; an app needs an app.R, or a server.R with a ui.R")
    links = {path.relative_to(folder).as_posix(): _leads_to(path, folder) for path in paths if path.is_symlink() and path.is_dir()}
    zip_files((path.relative_to(folder).as_posix() for path in files), lambda name: (folder / name).open("rb"), bundle, links)
    return fingerprint_of(bundle)


def _leads_to(link: Path, folder: Path) -> str:
    """Return where a link to a folder leads, as a bundle has it."""
    target = link.resolve()
    if not target.is_relative_to(folder.resolve()):
        raise NotAnApp(f"{link}: a link to a folder out of the app, {target}; put a copy of it there, or take the link away")
    return Path(os.path.relpath(target, link.parent.resolve())).as_posix()


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
