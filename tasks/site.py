"""Publish the apps of a site tree.

A folder of the synced tree that holds an app is the app at that location.

A version's files never change (DESIGN rule 1). A changed folder therefore becomes a bundle in S3,
which is published like every other: it is checked, built, activated in one step, and can be rolled
back. The last published state is stored beside the folder. If its upload was rejected for a reason
that was not its fault, the folder is published again. If a folder disappears, its app stays as it
is. ``restart.txt`` in an app's folder restarts the app when the file changes. It is not part of the
bundle.

Apps with write access may share the tree. Only what the sync brought is published: files and
folders of this process's own user. They are read by descriptors (:mod:`machine.untrusted`), so that
no link, and nothing put in a file's place, leads elsewhere.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple

from chalicelib import layout
from chalicelib.apps.errors import BadLocation
from chalicelib.apps.locations import check
from chalicelib.aws import clients
from chalicelib.clock import wall_clock
from chalicelib.configuration.deployment import Settings
from chalicelib.kinds.recognition import shape_of
from chalicelib.publishing import manifest, rscignore, store
from chalicelib.publishing.errors import BadBundle
from chalicelib.publishing.keys import BundleKey
from chalicelib.publishing.packing import is_left_out, zip_files
from chalicelib.publishing.status import BundleStatus
from chalicelib.syncs.definition import SyncDefinition
from machine.untrusted import Folder

RESTART = "restart.txt"
_BLOCK = 1 << 20
LARGEST_STATE = 64 << 20
"""Limit in bytes of the stored state of a tree's apps; one app takes about 200."""


class FolderNames(NamedTuple):
    """The names of a folder's contents."""

    folders: list[str]
    files: list[str]


class SyncedTree:
    """A synced folder as its sync made it.

    It leaves out links and everything that belongs to another user. Paths are relative, with ``/``.
    """

    def __init__(self, top: Folder) -> None:
        """Wrap ``top``, which the caller remains responsible for closing."""
        self._top = top
        self._owner = os.geteuid()

    def inside(self, path: str) -> FolderNames:
        """List a folder; ``""`` is the tree's own, and a missing folder is empty."""
        folders_, files = [], []
        with contextlib.suppress(FileNotFoundError), self._folder(path) as folder:
            for entry in folder.scan():
                if entry.status.st_uid != self._owner:
                    continue
                if entry.is_folder:
                    folders_.append(entry.name)
                elif entry.is_file and entry.status.st_nlink == 1:
                    files.append(entry.name)
        return FolderNames(sorted(folders_), sorted(files))

    def open(self, path: str) -> BinaryIO:
        """Open a file; raise :class:`machine.untrusted.Unsafe` if something replaced it."""
        above, _, name = path.rpartition("/")
        with self._folder(above) as folder:
            return folder.open(name, self._owner)

    def mark(self, path: str) -> str:
        """Return a mark that changes whenever the file is written; empty without a file."""
        above, _, name = path.rpartition("/")
        try:
            with self._folder(above) as folder:
                status = folder.stat(name)
        except FileNotFoundError:
            return ""
        return f"{status.st_mtime_ns}/{status.st_size}"

    @contextlib.contextmanager
    def _folder(self, path: str) -> Iterator[Folder]:
        if not path:
            yield self._top
            return
        with self._top.enter(path) as folder:
            yield folder


@dataclass(frozen=True, slots=True)
class SiteApp:
    """A folder that holds an app."""

    location: str
    folder: str
    """Its path in the tree; empty for the tree itself."""
    files: tuple[str, ...]
    """Paths below the folder, in order."""

    def path(self, name: str) -> str:
        """Return the path of one of its files in the tree."""
        return _join(self.folder, name)


def publish_changed(
    definition: SyncDefinition, settings: Settings, tell: Callable[[str], None]
) -> list[str]:
    """Publish the apps that have changed since the last time.

    Return the locations of the other apps whose ``restart.txt`` has changed.
    """
    with (
        Folder.at(layout.gate(Path(settings.efs), definition.name)) as gate,
        gate.enter(layout.SYNC_DATA) as data,
    ):
        tree = SyncedTree(data)
        before = _remembered(gate)
        after: dict[str, dict[str, str]] = {}
        restart: list[str] = []
        for app in apps_of(tree, definition.publish):
            known = before.get(app.location, {})
            touched = tree.mark(app.path(RESTART))
            fingerprint, key = fingerprint_of(app, tree), known.get("key", "")
            changed = fingerprint != known.get("fingerprint")
            if changed or _may_do_better(key):
                key = upload(app, tree, fingerprint, settings.bucket)
                tell(
                    f"{app.location} {'has changed' if changed else 'is published once more'}: s3://{settings.bucket}/{key}"
                )
            elif touched and touched != known.get("restart"):
                restart.append(app.location)
            after[app.location] = {"fingerprint": fingerprint, "restart": touched, "key": key}
        _remember(gate, after)
    return restart


def _remembered(gate: Folder) -> dict[str, dict[str, str]]:
    try:
        found: dict[str, dict[str, str]] = json.loads(
            gate.read(layout.SYNC_STATE, LARGEST_STATE, os.geteuid())
        )
    except FileNotFoundError:
        return {}
    return found


def _remember(gate: Folder, apps: dict[str, dict[str, str]]) -> None:
    unfinished = f"{layout.SYNC_STATE}.new"
    with contextlib.suppress(FileNotFoundError):
        gate.unlink(unfinished)  # left by a task that was killed
    gate.write(unfinished, json.dumps(apps, indent=1).encode(), 0o600)
    gate.rename(unfinished, gate, layout.SYNC_STATE)


def _may_do_better(key: str) -> bool:
    """Return whether an upload was rejected for a reason that was not its fault."""
    upload = store.find(key) if key else None
    return upload is not None and upload.status == BundleStatus.REJECTED and bool(upload.blameless)


def apps_of(tree: SyncedTree, below: str) -> Iterator[SiteApp]:
    """Yield the apps of a tree, outer folders first.

    Everything in an app's folder belongs to that app.
    """
    waiting = [""]
    while waiting:
        at = waiting.pop()
        inside = tree.inside(at)
        location = _location(below, at)
        if location is not None and _is_app(tree, at, inside):
            yield SiteApp(location, at, tuple(_files(tree, at)))
        else:  # apps may be deeper in the tree
            waiting += [_join(at, name) for name in reversed(inside.folders)]


def _is_app(tree: SyncedTree, at: str, inside: FolderNames) -> bool:
    pages = [
        f"{name}/index.html"
        for name in inside.folders
        if "index.html" in tree.inside(_join(at, name)).files
    ]
    try:
        shape_of(
            [*inside.files, *pages],
            PurePosixPath(at).name,
            lambda path: _start(tree, _join(at, path)),
        )
    except BadBundle:
        return False
    return True


def _start(tree: SyncedTree, path: str) -> bytes:
    """Return the beginning of a file, up to the largest size of a manifest."""
    with tree.open(path) as file:
        return file.read(manifest.LARGEST)


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _location(below: str, path: str) -> str | None:
    try:
        return check("/".join([below.rstrip("/"), *filter(None, path.split("/"))]) or "/")
    except BadLocation:
        return None  # nobody could visit it


def _files(tree: SyncedTree, top: str) -> list[str]:
    found = []
    waiting = [""]
    while waiting:
        at = waiting.pop()
        inside = tree.inside(_join(top, at) if at else top)
        rules = _rules(tree, _join(top, at) if at else top, inside)
        kept = [
            path
            for name in inside.folders
            if not rules.leave_out(name) and not is_left_out(PurePosixPath(path := _join(at, name)))
        ]
        waiting += kept
        for name in inside.files:
            path = _join(at, name)
            if name == rscignore.NAME or rules.leave_out(name) or path == RESTART:
                continue
            if not is_left_out(PurePosixPath(path)):
                found.append(path)
    return sorted(found)


def _rules(tree: SyncedTree, folder: str, inside: FolderNames) -> rscignore.IgnoreRules:
    if rscignore.NAME not in inside.files:
        return rscignore.IgnoreRules(())
    with tree.open(_join(folder, rscignore.NAME)) as file:
        return rscignore.read(file.read(rscignore.LARGEST))


def fingerprint_of(app: SiteApp, tree: SyncedTree) -> str:
    """Return a digest of an app's names and contents."""
    digest = hashlib.sha256()
    for name in app.files:
        with tree.open(app.path(name)) as file:
            content = hashlib.sha256()
            while block := file.read(_BLOCK):
                content.update(block)
        digest.update(f"{name}\0{content.hexdigest()}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:12]


def upload(app: SiteApp, tree: SyncedTree, fingerprint: str, bucket: str) -> str:
    """Upload an app's folder as a bundle, which publishes it; return its key."""
    stamp = datetime.fromtimestamp(wall_clock(), UTC).strftime("%Y%m%dT%H%M%SZ")
    key = BundleKey.of(app.location, f"site-{stamp}-{fingerprint}.zip").key
    with tempfile.TemporaryFile() as packed:
        zip_files(app.files, lambda name: tree.open(app.path(name)), packed)
        packed.seek(0)
        client: Any = clients.client("s3")
        client.upload_fileobj(packed, bucket, key)
    return key
