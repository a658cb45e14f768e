"""Archive an app, and delete an archived one.

This runs outside the VPC. Each event may come more than once (FACTS H4).
"""

from collections.abc import Callable
from typing import TypedDict

from chalicelib import telemetry
from chalicelib.apps import life as apps
from chalicelib.apps import store as store_of_apps
from chalicelib.apps import versions
from chalicelib.apps.sites import EVERY_HOST
from chalicelib.aws import clients
from chalicelib.configuration.deployment import Settings
from chalicelib.failures import Failure
from chalicelib.instances import store
from chalicelib.lives import ending
from chalicelib.publishing import retention
from chalicelib.publishing.keys import log_key, outcome_key
from chalicelib.publishing.model import Bundle

_WHY = "The app was archived by its author."


class LocationEvent(TypedDict):
    """A path of the default site that leads to the app."""

    location: str


def archive(event: LocationEvent, settings: Settings, clock: Callable[[], float]) -> dict[str, int]:
    """Archive an app: it gives out no more seats, its visitors are told, and its instances stop.

    Its versions, files and settings stay. Raise :class:`NoSuchApp` if there is no such app.
    """
    app = apps.archive(store_of_apps.at(event["location"]).name, clock())
    stopped = _end_all(app.app_id, settings, clock)
    telemetry.logger.info("archived", extra={"app": app.name, "instances": stopped})
    return {"stopped": stopped}


def delete(event: LocationEvent, settings: Settings, clock: Callable[[], float]) -> dict[str, int]:
    """Delete an archived app for good.

    The uploads go first and the app's row last, so that a deletion that broke off can be run again.
    Once the row is gone, its locations are free. The state machine that tidies removes the rest
    (files, data, versions). If that breaks off, the rows of the app's versions tell what is left.

    Raise :class:`NoSuchApp` or :class:`NotArchived`.
    """
    app = apps.archived(store_of_apps.at(event["location"]).name)
    _end_all(app.app_id, settings, clock)
    there = versions.of(app.app_id)
    # Uploads that were refused before their app was known only say where they were to be.
    here = [location.path for location in app.places.here if location.site == EVERY_HOST]
    unknown = Bundle.app_id.does_not_exist() & Bundle.location.is_in(*here)
    uploads = list(Bundle.scan((Bundle.app_id == app.app_id) | unknown))
    keys = {version.bundle for version in there}
    keys |= {
        key
        for upload in uploads
        for key in (upload.key, outcome_key(upload.key), log_key(upload.key))
    }
    s3 = clients.client("s3")
    for key in sorted(keys):
        s3.delete_object(Bucket=settings.bucket, Key=key)
    for row in uploads:
        row.delete()
    apps.delete(app)
    retention.start({"deleted": app.app_id}, settings.state_machine("tidy"))
    telemetry.logger.warning(
        "deleted",
        extra={
            "app": app.name,
            "app_id": app.app_id,
            "versions": len(there),
            "objects": len(keys),
        },
    )
    return {"versions": len(there), "bundles": len(uploads)}


def _end_all(app_id: str, settings: Settings, clock: Callable[[], float]) -> int:
    failure = Failure.ARCHIVED.because(_WHY)
    return sum(ending.end(row, failure, _WHY, settings, clock) for row in store.of_app(app_id))
