"""``sheen publish DIR [--at /path]``: upload a bundle and follow it until the app is active."""

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from chalicelib import aws
from chalicelib.apps import locations
from chalicelib.apps.model import App, Version
from chalicelib.bundles.model import Bundle
from chalicelib.bundles.status import BundleStatus
from chalicelib.errors import SheenError
from chalicelib.settings import Settings
from sheen.build_log import BuildLog
from sheen.bundle import zip_folder
from tasks.packages.log import NOTE

PATIENCE = 15 * 60.0
"""Seconds after which following a publish ends; the publish itself goes on."""


class PublishFailed(SheenError):
    """The bundle was rejected, or nobody says what became of it."""


def publish(settings: Settings, folder: Path, location: str | None, tell: Callable[[str], None], *, show_log: bool = False) -> str:
    """Publish ``folder`` at ``location`` (default: ``/<name of the folder>``) and return the location.

    ``tell`` gets each line of progress, with ``show_log`` those of the build log too. Raises :class:`PublishFailed` with what the publish
    said, and the errors of :func:`sheen.bundle.zip_folder` and :func:`chalicelib.apps.locations.check`.
    """
    location = locations.check(location or f"/{folder.resolve().name}")
    with tempfile.TemporaryDirectory() as scratch:
        bundle = Path(scratch) / "bundle.zip"
        fingerprint = zip_folder(folder, bundle)
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        key = f"bundles{location.rstrip('/')}/{folder.resolve().name}-{stamp}-{fingerprint}.zip"
        tell(f"{location}: uploading {bundle.stat().st_size:,} bytes to s3://{settings.bucket}/{key}")
        aws.client("s3").upload_file(str(bundle), settings.bucket, key)
    log = BuildLog(settings.bucket, key)

    def look(*, over: bool = False) -> None:
        for line in log.lines(over=over):
            if show_log or line.startswith(NOTE):
                tell(f"{location}: {line}")

    try:
        follow(key, lambda message: tell(f"{location}: {message}"), look)
    finally:
        look(over=True)
    return location


def is_published(folder: Path, location: str) -> bool:
    """Say whether the active version at ``location`` was made from what is in ``folder`` now."""
    try:
        app = App.get(location)
        version = Version.get(app.app_id, app.active_version) if app.active_version else None
    except (App.DoesNotExist, Version.DoesNotExist):
        return False
    with tempfile.TemporaryDirectory() as scratch:
        fingerprint = zip_folder(folder, Path(scratch) / "bundle.zip")
    return version is not None and version.bundle.endswith(f"-{fingerprint}.zip")


def follow(key: str, tell: Callable[[str], None], look: Callable[[], None] = lambda: None, pause: float = 0.2) -> None:
    """Tell each new message of the bundle under ``key`` until it is active; ``look`` is called again and again, ``pause`` is in seconds.

    Raises :class:`PublishFailed` when it is rejected, or when nothing is heard for :data:`PATIENCE` seconds.
    """
    told = ""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        row = next(iter(Bundle.batch_get([key], consistent_read=True)), None)
        if row is not None:
            if row.status == BundleStatus.REJECTED:
                raise PublishFailed(row.message)
            if row.message and row.message != told:
                told = row.message
                tell(told)
                deadline = time.monotonic() + PATIENCE
            if row.status == BundleStatus.ACTIVE:
                return
        look()
        time.sleep(pause)
    raise PublishFailed(
        f"{key}: nothing heard for {PATIENCE / 60:.0f} minutes (last: {told or 'the upload was not noticed'}); "
        "the executions of the publish state machine say where it stands"
    )
