"""Make a bundle of a folder."""

import errno
import hashlib
import os
import posixpath
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from chalicelib.errors import Malformed
from chalicelib.publishing import rscignore
from chalicelib.publishing.keys import ENDINGS
from chalicelib.publishing.limits import BundleLimits
from chalicelib.publishing.packing import why_left_out, zip_files

NAMED = 8
"""How many of the things that were left out are named."""


class NotAnApp(Malformed):
    """The folder cannot be published."""


class PackedBundle(NamedTuple):
    """A bundle that was made."""

    fingerprint: str
    """A short hash of the content: equal content has equal fingerprints."""
    notes: list[str]
    """What the author should know: what was left out and why, and what came from elsewhere."""


def zip_folder(folder: Path, bundle: Path) -> PackedBundle:
    """Zip ``folder`` into the file ``bundle``.

    A link to a file becomes that file. A link to a folder of the app stays a link. A link to a
    folder elsewhere becomes a folder with the content of that folder.

    Raise :class:`NotAnApp` if there is no folder, if it is empty, or if something in it cannot be
    read. This function does not check the kind of app; the publish does.
    """
    if not folder.is_dir():
        raise NotAnApp(
            f"{folder}: not a folder; name the folder that has the app.R, or the server.R and ui.R"
        )
    found = _Found(folder)
    try:
        found.gather(folder, PurePosixPath(), (folder.resolve(),))
        if not found.files:
            raise NotAnApp(
                f"{folder}: the folder is empty; an app needs an app.R, or a server.R with a ui.R"
            )
        files, links = sorted(found.files), dict(sorted(found.links.items()))
        fingerprint = zip_files(files, lambda name: found.files[name].open("rb"), bundle, links)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.ENOENT, errno.ELOOP, errno.EIO):
            raise
        way_out = "change that, or name it in a file .rscignore beside it"
        raise NotAnApp(
            f"{error.filename or folder}: it cannot be read ({error.strerror}); {way_out}"
        ) from error
    return PackedBundle(fingerprint, [*_told(found.left_out), *found.notes])


class _Found:
    """The content of a folder that goes into its bundle, by path in the bundle."""

    def __init__(self, app: Path) -> None:
        self._app = app
        self._true = app.resolve()
        self._from_elsewhere: list[str] = []
        self.files: dict[str, Path] = {}
        self.links: dict[str, str] = {}
        self.left_out: list[tuple[str, str]] = []
        """Each path that was left out, and why."""
        self.notes: list[str] = []

    def gather(self, folder: Path, at: PurePosixPath, inside: tuple[Path, ...]) -> None:
        """Add the content of ``folder``, which is at ``at`` in the bundle.

        ``inside`` has the true paths of the folders that enclose this one on the walk.
        """
        names = sorted(path.name for path in folder.iterdir())
        rules = self._rules(folder, at, names)
        for name in names:
            path, to = folder / name, at / name
            if name == rscignore.NAME:
                continue
            why = rscignore.NAME if rules.leave_out(name) else why_left_out(to)
            if why is not None:
                self.left_out.append((f"{to}/" if path.is_dir() else str(to), why))
            elif path.is_dir() and path.is_symlink():
                self._add_link(path, to, inside)
            elif path.is_dir():
                self.gather(path, to, inside)
            elif path.is_file():
                self._add_file(path, to)
            else:
                self.left_out.append(
                    (str(to), "a link to nothing" if path.is_symlink() else "not a file")
                )

    def _rules(self, folder: Path, at: PurePosixPath, names: list[str]) -> rscignore.IgnoreRules:
        if rscignore.NAME not in names:
            return rscignore.IgnoreRules(())
        with (folder / rscignore.NAME).open("rb") as file:
            rules = rscignore.read(file.read(rscignore.LARGEST))
        for line in rules.without_effect(names):
            self.notes.append(f'note: {at / rscignore.NAME}: nothing beside it is called "{line}"')
        return rules

    def _add_file(self, path: Path, to: PurePosixPath) -> None:
        self.files[str(to)] = path
        if self._from_elsewhere and len(self.files) > BundleLimits().files:
            raise NotAnApp(
                f"{self._app}: it has more than {BundleLimits().files:,} files, with those of the "
                f"folders that {', '.join(self._from_elsewhere[:NAMED])} lead to; copy there what "
                "the app needs, "
                "let a sync bring it, or name the link in a file .rscignore beside it"
            )

    def _add_link(self, path: Path, to: PurePosixPath, inside: tuple[Path, ...]) -> None:
        target = path.resolve()
        if target.is_relative_to(self._true):
            below = target.relative_to(self._true).as_posix()
            self.links[str(to)] = posixpath.relpath(below, to.parent.as_posix())
            return
        if any(outer.is_relative_to(target) for outer in inside):
            raise NotAnApp(
                f"{path}: a link to {target}, in which it is itself; no bundle could hold "
                "that. Let it "
                f"lead to what the app needs, or name {path.name} in a file .rscignore beside it"
            )
        self._from_elsewhere.append(str(to))
        self.notes.append(f"note: {to} is a link to {target}; what is in that folder is packed")
        self.gather(path, to, (*inside, target))


def _told(left_out: list[tuple[str, str]]) -> Iterator[str]:
    if left_out:
        named = ", ".join(f"{path} ({why})" for path, why in left_out[:NAMED])
        more = f" and {len(left_out) - NAMED:,} more" if len(left_out) > NAMED else ""
        yield f"left out: {named}{more}"


def ending_of(bundle: Path) -> str:
    """Return the ending of a packed bundle's name.

    Raise :class:`NotAnApp` if the bundle is no readable file, or if its kind cannot be published.
    """
    if not bundle.is_file():
        raise NotAnApp(
            f"{bundle}: no such folder or file; name the app's folder, or a .zip or .tar.gz of it"
        )
    ending = next((ending for ending in ENDINGS if bundle.name.endswith(ending)), None)
    if ending is None:
        raise NotAnApp(
            f"{bundle}: neither a folder nor a .zip or .tar.gz; name the app's folder, or "
            "pack it as one of these"
        )
    if not os.access(bundle, os.R_OK):
        raise NotAnApp(f"{bundle}: it cannot be read; change its mode, or who owns it")
    return ending


def fingerprint_of(bundle: Path) -> str:
    """Return the fingerprint of a packed bundle."""
    with bundle.open("rb") as packed:
        return hashlib.file_digest(packed, "sha256").hexdigest()[:12]
