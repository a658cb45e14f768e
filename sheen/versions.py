"""``sheen versions``, ``rollback``, ``redeploy`` and ``download``: list versions and use them."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from chalicelib.apps import locations, store, versions
from chalicelib.apps.model import App, Version
from chalicelib.aws import clients
from chalicelib.configuration.deployment import Settings
from chalicelib.errors import Conflict, SheenError
from chalicelib.lives.restart import RestartEvent
from chalicelib.publishing import again
from chalicelib.publishing.keys import original_name
from sheen.console import say, table
from sheen.functions import call
from sheen.publish import follow


class NotDownloaded(Conflict):
    """The file cannot be written to the place that was named."""


def show_versions(location: str) -> None:
    """List an app's versions, newest first, and mark the active one. Raise :class:`NoSuchApp`."""
    app = store.at(locations.check(location))
    rows = versions.of(app.app_id)
    if not rows:
        say(f"nothing was published at {app.location} yet")
        return
    table(
        ("VERSION", "", "PUBLISHED", "BUNDLE"),
        [
            (
                row.version,
                state(app, row),
                _when(float(row.published_at)),
                original_name(row.bundle),
            )
            for row in rows
        ],
    )


def state(app: App, row: Version) -> str:
    """Return what a version is to its app: active, previous, being removed, or "" for neither."""
    if row.removing_at is not None:
        return "is being removed"
    return {app.active_version: "active", app.previous_version: "previous"}.get(row.version, "")


def rollback(
    settings: Settings, location: str, version: str | None, tell: Callable[[str], None]
) -> str:
    """Make another version the active one, by default the previous one, and return its name.

    Open sessions go on with the version that they began with. Raise :class:`NoSuchApp`,
    :class:`NoSuchVersion` or :class:`BadAppSetting`.
    """
    location = locations.check(location)
    app = versions.roll_back(store.at(location).name, version, time.time())
    event: RestartEvent = {"location": location, "mode": "retire"}
    try:
        call(settings, "agents_restart", event)
    except SheenError as error:
        tell(
            f"{location}: instances of the version before were not told to go ({error}); "
            "they go when they are idle"
        )
    return str(app.active_version)


def redeploy(
    settings: Settings, location: str, tell: Callable[[str], None], *, show_log: bool = False
) -> str:
    """Build the active version's bundle again as a new version, follow it, and return the location.

    Raise what :func:`chalicelib.publishing.again.publish_again` raises, or :class:`PublishFailed`.
    """
    location = locations.check(location)
    key = again.publish_again(location, settings.bucket, time.time())
    tell(f"{location}: publishing the active version's bundle again")
    follow(settings.bucket, key, lambda message: tell(f"{location}: {message}"), show_log=show_log)
    return location


def download(settings: Settings, location: str, version: str | None, to: Path | None) -> Path:
    """Download the bundle of a version, by default the active one, as uploaded; return the file.

    ``to`` is a file or a folder; by default the file gets the bundle's own name in the current
    folder. Raise :class:`NotDownloaded` if the file exists or cannot be made, :class:`NoSuchApp` or
    :class:`NoSuchVersion`.
    """
    found = again.kept(locations.check(location), version)
    target = to / found.name if to is not None and to.is_dir() else to or Path(found.name)
    if target.exists():
        raise NotDownloaded(f"{target} is there already; name another file with -o")
    if not target.parent.is_dir():
        raise NotDownloaded(
            f"{target}: there is no folder {target.parent}; make it, or name another file with -o"
        )
    if not os.access(target.parent, os.W_OK):
        raise NotDownloaded(
            f"{target}: you may not write in the folder {target.parent}; name another file with -o"
        )
    clients.client("s3").download_file(settings.bucket, found.key, str(target))
    return target


def _when(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
