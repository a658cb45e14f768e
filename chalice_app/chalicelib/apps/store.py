"""The rows of apps and versions."""

import secrets
from collections.abc import Iterable

from pynamodb.exceptions import PutError, UpdateError

from chalicelib.apps.model import App, Version

UNIX_IDS = range(200_000, 2**31)
"""Well above every user of an image, and within what a file system can store."""

_REFUSED = "ConditionalCheckFailedException"


def at(locations: Iterable[str]) -> dict[str, App]:
    """Read the apps at some locations (at most 100), in one call; those that are not there are left out."""
    return {app.location: app for app in App.batch_get(list(locations))}


def everywhere() -> list[App]:
    """Read all apps, by location."""
    return sorted(App.scan(), key=lambda app: app.location)


def ensure(location: str, now: float) -> App:
    """Return the app at a location; make it, without a version, when there is none. Of two who make it at once one does."""
    for _ in range(2):
        try:
            return App.get(location, consistent_read=True)
        except App.DoesNotExist:
            app = App(
                location,
                app_id=secrets.token_hex(6),
                unix_id=UNIX_IDS.start + secrets.randbelow(len(UNIX_IDS)),
                settings={},
                created_at=now,
                updated_at=now,
            )
            try:
                app.save(condition=App.location.does_not_exist())
            except PutError as error:
                if error.cause_response_code != _REFUSED:
                    raise
            else:
                return app
    return App.get(location, consistent_read=True)


def add_version(app_id: str, version: str, *, bundle: str, kind: str, now: float) -> None:
    """Record a built version; the second time it changes nothing (FACTS H4)."""
    row = Version(app_id, version, bundle=bundle, kind=kind, published_at=now)
    try:
        row.save(condition=Version.app_id.does_not_exist())
    except PutError as error:
        if error.cause_response_code != _REFUSED:
            raise


def activate(location: str, version: str, upload: str, now: float) -> bool:
    """Switch the active version, in one conditional write, unless a later upload is active.

    ``upload`` orders uploads: :func:`chalicelib.bundles.keys.upload_order`. Return False when a later one is active; True also when
    this one is (a repeat, FACTS H4).
    """
    try:
        App(location).update(
            actions=[App.active_version.set(version), App.active_upload.set(upload), App.updated_at.set(now)],
            condition=App.location.exists() & (App.active_upload.does_not_exist() | (App.active_upload <= upload)),
        )
    except UpdateError as error:
        if error.cause_response_code == _REFUSED:
            return False
        raise
    return True
