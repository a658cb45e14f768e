"""Publishes the apps of a site tree: each folder of the synced tree with an app in it is the app at that location.

A version's files never change (DESIGN rule 1), so a folder that has changed becomes a bundle in S3, and that is published like everybody's:
checked, built, switched to in one step, and rolled back if need be. What was published last is remembered beside the folder, and published
once more when it was rejected for what was not its fault. A folder that goes away leaves its app as it is. ``restart.txt`` in an app's
folder restarts the app when the file changes, and is no part of the bundle.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chalicelib import aws
from chalicelib.apps.errors import BadLocation
from chalicelib.apps.locations import check
from chalicelib.bundles import manifest, rscignore, store
from chalicelib.bundles.errors import BadBundle
from chalicelib.bundles.keys import BundleKey
from chalicelib.bundles.kind import shape_of
from chalicelib.bundles.packing import is_left_out, zip_files
from chalicelib.bundles.status import BundleStatus
from chalicelib.clock import wall_clock
from chalicelib.settings import Settings
from chalicelib.syncs import folders
from chalicelib.syncs.definition import SyncDefinition

RESTART = "restart.txt"


@dataclass(frozen=True, slots=True)
class SiteApp:
    """A folder with an app in it."""

    location: str
    folder: Path
    files: tuple[str, ...]
    """Paths below the folder, in order."""


def publish_changed(definition: SyncDefinition, settings: Settings, tell: Callable[[str], None]) -> list[str]:
    """Publish the apps that have changed since the last time; return the locations of those whose ``restart.txt`` has."""
    efs = Path(settings.efs)
    remembered = folders.gate(efs, definition.name) / folders.STATE
    before: dict[str, dict[str, str]] = json.loads(remembered.read_text()) if remembered.exists() else {}
    after: dict[str, dict[str, str]] = {}
    restart: list[str] = []
    for app in apps_of(folders.data(efs, definition.name), definition.publish):
        known = before.get(app.location, {})
        touched = restart_mark(app.folder)
        fingerprint, key = fingerprint_of(app), known.get("key", "")
        changed = fingerprint != known.get("fingerprint")
        if changed or _may_do_better(key):
            key = upload(app, fingerprint, settings.bucket)
            tell(f"{app.location} {'has changed' if changed else 'is published once more'}: s3://{settings.bucket}/{key}")
        elif touched and touched != known.get("restart"):
            restart.append(app.location)
        after[app.location] = {"fingerprint": fingerprint, "restart": touched, "key": key}
    unfinished = remembered.with_name(f"{remembered.name}.new")
    unfinished.write_text(json.dumps(after, indent=1))
    unfinished.replace(remembered)
    return restart


def _may_do_better(key: str) -> bool:
    """Whether an upload was rejected for what was not its fault."""
    upload = store.find(key) if key else None
    return upload is not None and upload.status == BundleStatus.REJECTED and bool(upload.blameless)


def apps_of(root: Path, below: str) -> Iterator[SiteApp]:
    """Give the apps of a tree. What is in an app's folder is the app's; links are not followed, and none is published."""
    for at, names, files in os.walk(root, followlinks=False):
        top = Path(at)
        names.sort()
        location = _location(below, top.relative_to(root))
        if location is None:
            continue
        own = [name for name in files if not (top / name).is_symlink()]
        try:
            pages = [f"{name}/{inner}" for name in names for inner in ("index.html",) if (top / name / inner).exists()]
            shape_of([*own, *pages], top.name, lambda path, top=top: _start(top / path))  # type: ignore[misc]
        except BadBundle:
            continue  # apps may be further down
        yield SiteApp(location, top, tuple(_files(top)))
        names.clear()


def _start(path: Path) -> bytes:
    """What is in a file, up to what a manifest may have."""
    with path.open("rb") as file:
        return file.read(manifest.LARGEST)


def _location(below: str, path: Path) -> str | None:
    try:
        return check("/".join([below.rstrip("/"), *path.parts]) or "/")
    except BadLocation:
        return None  # nobody could visit it


def _files(top: Path) -> list[str]:
    found = []
    for at, names, files in os.walk(top, followlinks=False):
        folder = Path(at).relative_to(top)
        rules = _rules(top / folder, files)
        names[:] = sorted(name for name in names if not is_left_out(folder / name) and not rules.leave_out(name))
        for name in files:
            relative = folder / name
            if name == rscignore.NAME or rules.leave_out(name):
                continue
            if not is_left_out(relative) and not (top / relative).is_symlink() and relative != Path(RESTART):
                found.append(relative.as_posix())
    return sorted(found)


def _rules(folder: Path, files: list[str]) -> rscignore.Rules:
    if rscignore.NAME not in files or (folder / rscignore.NAME).is_symlink():
        return rscignore.Rules(())
    with (folder / rscignore.NAME).open("rb") as file:
        return rscignore.read(file.read(rscignore.LARGEST))


def restart_mark(folder: Path) -> str:
    """Return what changes whenever ``restart.txt`` is written; empty when there is none."""
    try:
        status = (folder / RESTART).stat(follow_symlinks=False)
    except FileNotFoundError:
        return ""
    return f"{status.st_mtime_ns}/{status.st_size}"


def fingerprint_of(app: SiteApp) -> str:
    """Return the same for the same names and contents."""
    digest = hashlib.sha256()
    for name in app.files:
        with (app.folder / name).open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{name}\0{content}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:12]


def upload(app: SiteApp, fingerprint: str, bucket: str) -> str:
    """Upload an app's folder as a bundle, which publishes it; return its key."""
    stamp = datetime.fromtimestamp(wall_clock(), UTC).strftime("%Y%m%dT%H%M%SZ")
    key = BundleKey.of(app.location, f"site-{stamp}-{fingerprint}.zip").key
    with tempfile.TemporaryFile() as packed:
        zip_files(app.files, lambda name: (app.folder / name).open("rb"), packed)
        packed.seek(0)
        client: Any = aws.client("s3")
        client.upload_fileobj(packed, bucket, key)
    return key
