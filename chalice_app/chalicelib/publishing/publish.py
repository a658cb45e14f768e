"""The steps of the state machine that publishes: check, (build,) register, activate, report; or reject. Outside the VPC.

Each may run more than once (FACTS H4), at any time after it ran first, also in an execution that was started again: it then finds done
what it has done, and says the same.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, NotRequired, TypedDict

from chalicelib import telemetry
from chalicelib.apps import store as apps
from chalicelib.apps import versions
from chalicelib.apps.errors import NoSuchApp, NoSuchVersion
from chalicelib.apps.model import App
from chalicelib.configuration.deployment import Settings
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.publishing import retention, store
from chalicelib.publishing.errors import BadBundle
from chalicelib.publishing.keys import BundleKey, kept_key, upload_order, version_name
from chalicelib.publishing.status import BundleStatus


class Upload(TypedDict):
    """What :func:`check` makes of S3's event and the later steps go by. Values are text: they go into a task's environment."""

    build: bool
    """Whether there is something to do."""
    key: NotRequired[str]
    etag: NotRequired[str]
    sequencer: NotRequired[str]
    order: NotRequired[str]
    location: NotRequired[str]
    app_id: NotRequired[str]
    unix_id: NotRequired[str]
    version: NotRequired[str]


class Built(TypedDict):
    """What the build task answers."""

    kind: str
    source: str
    """S3 key of the version's own copy of the bundle."""
    settings: dict[str, Any]
    """What is in its ``sheen.toml``."""


def check(event: Mapping[str, Any], bucket: str, largest: int, clock: Callable[[], float]) -> Upload:
    """Record an upload and make its app, if it is the first. ``event``: EventBridge's "Object Created": ``time``, ``detail``.

    ``largest``: bytes that an upload may have. Raise :class:`BadBundle` for what can be seen to be wrong without opening it.
    """
    wanted = event["detail"]["object"]
    key, sequencer, etag = wanted["key"], wanted.get("sequencer", ""), wanted.get("etag", "")
    now = clock()
    # Recorded before it is checked, so that a rejection has a row to go to.
    if not _receive(event, now):
        telemetry.logger.info("nothing to do", extra={"bundle": key})
        return {"build": False}
    parsed = BundleKey.parse(key)
    if wanted.get("size", 0) > largest:
        raise BadBundle(
            f"bundle {parsed.name}: it has {wanted['size']:,} bytes; at most {largest:,} are allowed: "
            "leave data out, or put it on EFS by a sync"
        )
    app = apps.ensure(parsed.location, now)
    version = version_name(event["time"], key, sequencer)
    store.tell(bucket, key, sequencer, BundleStatus.BUILDING, "Getting a machine to unpack the bundle.", now)
    telemetry.logger.info("builds", extra={"app": parsed.location, "bundle": key, "version": version})
    return {
        "build": True,
        "key": key,
        "etag": etag,
        "sequencer": sequencer,
        "order": upload_order(event["time"], sequencer),
        "location": parsed.location,
        "app_id": app.app_id,
        "unix_id": str(int(app.unix_id)),
        "version": version,
    }


def built_for(key: str, app_id: str) -> App:
    """Read the app that an upload is built for; raise :class:`BadBundle` when that was deleted, whether or not another one is there now."""
    location, name = BundleKey.parse(key)
    app = _app_at(location)
    if app is None or app.app_id != app_id:
        raise BadBundle(f"bundle {name}: the app at {location} was deleted while it was published; upload it again")
    return app


def register(event: Mapping[str, Any], clock: Callable[[], float]) -> None:
    """Record the version that was built. ``event``: ``upload`` as checked, ``built`` (:class:`Built`). Raise :class:`BadBundle`."""
    upload, built = event["upload"], event["built"]
    built_for(upload["key"], upload["app_id"])
    versions.add(
        upload["app_id"],
        upload["version"],
        bundle=upload["key"],
        kind=built["kind"],
        source=built["source"],
        settings=built["settings"],
        now=clock(),
    )


def activate(event: Mapping[str, Any], clock: Callable[[], float]) -> dict[str, str]:
    """Make a registered version the active one, unless a later upload was faster. ``event``: ``upload``. Raise :class:`BadBundle`."""
    upload = event["upload"]
    location, version = upload["location"], upload["version"]
    built_for(upload["key"], upload["app_id"])
    try:
        active = versions.activate(location, version, upload["order"], clock())
    except NoSuchVersion:
        active = False  # so many later ones were faster that it is being removed
    except BadAppSetting as error:
        name = BundleKey.parse(upload["key"]).name
        raise BadBundle(f"bundle {name}: its settings, with the app's own, cannot hold: {error}") from None
    status = BundleStatus.ACTIVE if active else BundleStatus.SUPERSEDED
    telemetry.logger.info("activated", extra={"app": location, "version": version, "status": status.value})
    return {"status": status.value}


_SAID = {
    BundleStatus.ACTIVE: "Published.",
    BundleStatus.SUPERSEDED: "A later upload was published first; this one is kept and not active.",
}


def report(event: Mapping[str, Any], bucket: str, clock: Callable[[], float]) -> dict[str, str]:
    """Tell the author that it is done. ``event``: ``upload``, ``status`` as :func:`activate` has said."""
    upload, status = event["upload"], BundleStatus(event["status"])
    store.tell(bucket, upload["key"], upload["sequencer"], status, _SAID[status], clock())
    return {"status": status.value}


def reject(event: Mapping[str, Any], settings: Settings, clock: Callable[[], float]) -> dict[str, str]:
    """Tell the author why nothing came of an upload, and see that nothing is left of it.

    ``event``: ``time``, ``detail`` as S3 sent it, ``error`` (``Error``, ``Cause``), and of one that was checked ``checked``: ``upload``.
    """
    wanted = event["detail"]["object"]
    key, sequencer = wanted["key"], wanted.get("sequencer", "")
    error = event.get("error") or {}
    status, message = BundleStatus.REJECTED, reason(error, key)
    app = _app_at(_location_of(key))
    if app is not None and app.active_upload == upload_order(event["time"], sequencer):
        # A step failed after the switch, or said so although it had not.
        status, message = BundleStatus.ACTIVE, _SAID[BundleStatus.ACTIVE]
    now = clock()
    _receive(event, now)  # it is here that it is recorded if the check did not come as far
    blameless = status is BundleStatus.REJECTED and is_blameless(error)
    store.tell(settings.bucket, key, sequencer, status, message, now, blameless=blameless)
    telemetry.logger.warning("rejected", extra={"bundle": key, "why": message, "status": status.value})
    upload: Upload | None = event.get("checked", {}).get("upload")
    if upload is not None and status is BundleStatus.REJECTED:
        is_gone = app is None or app.app_id != upload["app_id"]
        if is_gone or error.get("Error") != BadBundle.__name__:  # a build that finds one clears up by itself
            versions.add_removed(upload["app_id"], upload["version"], key, kept_key(upload["app_id"], upload["version"], key), now)
        if is_gone:  # what was deleted with it may have been put back
            retention.start({"deleted": upload["app_id"]}, settings.state_machine("tidy"))
    return {"status": status.value}


def is_blameless(error: Mapping[str, Any]) -> bool:
    """Whether the same files may do better another time: what takes too long will take as long again. Pure."""
    return error.get("Error") not in (BadBundle.__name__, "States.Timeout")


def reason(error: Mapping[str, Any], key: str) -> str:
    """The sentence for the author: a bad bundle's own message; for anything else that it was not the bundle. Pure."""
    name, cause = str(error.get("Error", "")), str(error.get("Cause", ""))
    message = _message_of(cause)
    if name == BadBundle.__name__:
        return message
    file = key.rsplit("/", 1)[-1]
    if name in ("States.Timeout", "States.HeartbeatTimeout"):
        return f"bundle {file}: unpacking it did not come to an end in time ({name}); upload it again"
    return f"bundle {file}: it could not be unpacked, which is not its fault ({name}: {message[:500]}); upload it again"


def _message_of(cause: str) -> str:
    """A Lambda's error comes as JSON with its message in it."""
    try:
        value = json.loads(cause)
    except (ValueError, RecursionError):
        return cause
    return str(value.get("errorMessage", cause)) if isinstance(value, dict) else cause


def _receive(event: Mapping[str, Any], now: float) -> bool:
    """Record an upload; say whether there is something to do."""
    wanted = event["detail"]["object"]
    key, sequencer = wanted["key"], wanted.get("sequencer", "")
    version = version_name(event["time"], key, sequencer)
    return store.receive(key, sequencer, wanted.get("etag", ""), _location_of(key), version, now)


def _app_at(location: str) -> App | None:
    try:
        return apps.get(location) if location else None
    except NoSuchApp:
        return None


def _location_of(key: str) -> str:
    try:
        return BundleKey.parse(key).location
    except BadBundle:
        return ""
