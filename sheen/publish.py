"""``sheen publish DIR|BUNDLE [--at /path]``: upload a bundle and follow it until it is active."""

import re
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from chalicelib.apps import locations, store
from chalicelib.apps.errors import NoSuchApp
from chalicelib.apps.model import Version
from chalicelib.aws import clients
from chalicelib.configuration.deployment import Settings
from chalicelib.errors import Broken
from chalicelib.publishing import build_log
from chalicelib.publishing.keys import BundleKey
from chalicelib.publishing.model import Bundle
from chalicelib.publishing.status import OVER, BundleStatus
from sheen.build_log import BuildLogReader
from sheen.bundle import ending_of, fingerprint_of, zip_folder

PATIENCE = 15 * 60.0
"""Seconds without news after which following a publish ends. The publish itself goes on."""


class PublishFailed(Broken):
    """The bundle was rejected, or its publish gives no more news."""


def publish(
    settings: Settings,
    source: Path,
    location: str | None,
    tell: Callable[[str], None],
    *,
    show_log: bool = False,
) -> str:
    """Publish a folder or a packed bundle, and return the location.

    ``location`` is ``/<its name>`` by default. ``tell`` gets each line of progress, and with
    ``show_log`` each line of the build log too. Raise :class:`PublishFailed` with the publish's
    message, or an error of :mod:`sheen.bundle` or :func:`chalicelib.apps.locations.check`.
    """
    name = source.resolve().name
    ending = "" if source.is_dir() else ending_of(source)
    stem = name.removesuffix(ending)
    location = locations.check(f"/{stem}" if location is None else location)
    with tempfile.TemporaryDirectory() as scratch:
        if ending:
            bundle, fingerprint = source, fingerprint_of(source)
        else:
            bundle = Path(scratch) / "bundle.zip"
            fingerprint, notes = zip_folder(source, bundle)
            for note in notes:
                tell(f"{location}: {note}")
        key = BundleKey.of(
            location, upload_name(stem, fingerprint, ending or ".zip", datetime.now(UTC))
        ).key
        tell(
            f"{location}: uploading {bundle.stat().st_size:,} bytes to s3://{settings.bucket}/{key}"
        )
        clients.client("s3").upload_file(str(bundle), settings.bucket, key)
    follow(settings.bucket, key, lambda message: tell(f"{location}: {message}"), show_log=show_log)
    return location


def upload_name(stem: str, fingerprint: str, ending: str, now: datetime) -> str:
    """Return a unique name for an upload, of characters that a bundle's name may have. Pure."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.")[:50] or "bundle"
    return f"{readable}-{now:%Y%m%dT%H%M%SZ}-{fingerprint}{ending}"


def is_published(folder: Path, location: str) -> bool:
    """Return whether the active version at ``location`` has the present content of ``folder``."""
    try:
        app = store.at(location)
        version = Version.get(app.app_id, app.active_version) if app.active_version else None
    except (NoSuchApp, Version.DoesNotExist):
        return False
    with tempfile.TemporaryDirectory() as scratch:
        fingerprint, _ = zip_folder(folder, Path(scratch) / "bundle.zip")
    return version is not None and version.bundle.endswith(f"-{fingerprint}.zip")


def follow(
    bucket: str,
    key: str,
    tell: Callable[[str], None],
    *,
    show_log: bool = False,
    pause: float = 0.2,
) -> None:
    """Tell each new message of the upload under ``key`` until its publish is over.

    The notes of its build log are told too, or with ``show_log`` all lines. ``pause`` is in
    seconds. Raise :class:`PublishFailed` if the bundle is rejected, or if there is no news for
    :data:`PATIENCE` seconds.
    """
    log = BuildLogReader(bucket, key)
    told, heard = "", time.monotonic()

    def look(*, over: bool = False) -> None:
        nonlocal heard
        for line in log.lines(over=over):
            heard = time.monotonic()
            if show_log or build_log.is_note(line):
                tell(line)

    try:
        while time.monotonic() - heard < PATIENCE:
            row = next(iter(Bundle.batch_get([key], consistent_read=True)), None)
            if row is not None:
                if row.status == BundleStatus.REJECTED:
                    raise PublishFailed(row.message)
                if row.message and row.message != told:
                    told, heard = row.message, time.monotonic()
                    tell(told)
                if row.status in OVER:
                    return
            look()
            time.sleep(pause)
    finally:
        look(over=True)
    raise PublishFailed(
        f"{key}: nothing heard for {PATIENCE / 60:.0f} minutes (last: {told or 'the upload was not noticed'}); "  # noqa: E501
        "the executions of the publish state machine say where it stands"
    )
