"""The steps of the state machine that publishes a bundle. Outside the VPC.

They are check, build (a task), register, activate and report; or reject. Each may run more than
once (FACTS H4), at any later time and even in another execution. A repeated step finds its work
done, and returns the same.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, NotRequired, TypedDict

from chalicelib import telemetry
from chalicelib.apps import store as apps
from chalicelib.apps import versions
from chalicelib.apps.errors import LocationTaken, NoSuchApp, NoSuchVersion
from chalicelib.apps.model import App
from chalicelib.configuration.deployment import Settings
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.failures import Failure
from chalicelib.publishing import retention, store
from chalicelib.publishing.errors import BadBundle
from chalicelib.publishing.keys import BundleKey, kept_key, upload_order, version_name
from chalicelib.publishing.status import BundleStatus


class Upload(TypedDict):
    """The result of :func:`check`, which later steps use.

    Values are text, since they become the environment of a task.
    """

    build: bool
    """Whether there is something to do."""
    key: NotRequired[str]
    etag: NotRequired[str]
    sequencer: NotRequired[str]
    order: NotRequired[str]
    location: NotRequired[str]
    app: NotRequired[str]
    """The app's name. Executions that began before apps had names lack it."""
    app_id: NotRequired[str]
    unix_id: NotRequired[str]
    version: NotRequired[str]


class BuildResult(TypedDict):
    """The result of the build task."""

    kind: str
    """Name of the version's kind (:mod:`chalicelib.kinds.served`)."""
    entrypoint: NotRequired[str]
    """What its process needs to know to start."""
    source: str
    """S3 key of the version's own copy of the bundle."""
    settings: dict[str, Any]
    """The contents of its ``sheen.toml``."""


def check(
    event: Mapping[str, Any], bucket: str, largest: int, clock: Callable[[], float]
) -> Upload:
    """Record an upload, and make its app if this is the first upload.

    ``event`` is EventBridge's "Object Created": ``time`` and ``detail``. ``largest`` is the number
    of bytes that an upload may have. Raise :class:`BadBundle` for faults that show without opening
    the bundle.
    """
    wanted = event["detail"]["object"]
    key, sequencer, etag = wanted["key"], wanted.get("sequencer", ""), wanted.get("etag", "")
    now = clock()
    # The upload is recorded before it is checked, so that a rejection has a row.
    if not _receive(event, now):
        telemetry.logger.info("nothing to do", extra={"bundle": key})
        return {"build": False}
    parsed = BundleKey.parse(key)
    if wanted.get("size", 0) > largest:
        raise BadBundle(
            f"bundle {parsed.name}: it has {wanted['size']:,} bytes; at most {largest:,} are allowed: "  # noqa: E501
            "leave data out, or put it on EFS by a sync"
        )
    try:
        app = apps.ensure(parsed.location, now)
    except LocationTaken as error:
        raise BadBundle(f"bundle {parsed.name}: {error}") from None
    version = version_name(event["time"], key, sequencer)
    store.tell(
        bucket,
        key,
        sequencer,
        BundleStatus.BUILDING,
        "Getting a machine to unpack the bundle.",
        now,
        app_id=app.app_id,
    )
    telemetry.logger.info("builds", extra={"app": app.name, "bundle": key, "version": version})
    return {
        "build": True,
        "key": key,
        "etag": etag,
        "sequencer": sequencer,
        "order": upload_order(event["time"], sequencer),
        "location": parsed.location,
        "app": app.name,
        "app_id": app.app_id,
        "unix_id": str(int(app.unix_id)),
        "version": version,
    }


def built_for(key: str, app_id: str, app_name: str = "") -> App:
    """Return the app that an upload is built for, wherever it is now.

    Raise :class:`BadBundle` if that app was deleted, even if there is another at its location now.
    """
    location, name = BundleKey.parse(key)
    app = _app(app_name or location)
    if app is None or app.app_id != app_id:
        raise BadBundle(
            f"bundle {name}: the app at {location} was deleted while it was published; "
            "upload it again"
        )
    return app


def register(event: Mapping[str, Any], clock: Callable[[], float]) -> None:
    """Record a version that was built; raise :class:`BadBundle` if its app was deleted.

    ``event`` has ``upload``, from :func:`check`, and ``built`` (:class:`BuildResult`).
    """
    upload, built = event["upload"], event["built"]
    built_for(upload["key"], upload["app_id"], upload.get("app", ""))
    versions.add(
        upload["app_id"],
        upload["version"],
        bundle=upload["key"],
        kind=built["kind"],
        entrypoint=built.get("entrypoint"),
        source=built["source"],
        settings=built["settings"],
        now=clock(),
    )


def activate(event: Mapping[str, Any], clock: Callable[[], float]) -> dict[str, str]:
    """Make a registered version the active one, unless a later upload was faster.

    ``event`` has ``upload``. Raise :class:`BadBundle` if the app was deleted or if the version's
    settings do not go with the app's own.
    """
    upload = event["upload"]
    version = upload["version"]
    app = built_for(upload["key"], upload["app_id"], upload.get("app", ""))
    try:
        active = versions.activate(app.name, version, upload["order"], clock())
    except NoSuchVersion:
        active = False  # it is already being removed, because enough later versions were faster
    except BadAppSetting as error:
        name = BundleKey.parse(upload["key"]).name
        raise BadBundle(
            f"bundle {name}: its settings, with the app's own, cannot hold: {error}"
        ) from None
    status = BundleStatus.ACTIVE if active else BundleStatus.SUPERSEDED
    telemetry.logger.info(
        "activated", extra={"app": app.name, "version": version, "status": status.value}
    )
    return {"status": status.value}


_SAID = {
    BundleStatus.ACTIVE: "Published.",
    BundleStatus.SUPERSEDED: "A later upload was published first; this one is kept and not active.",
}


def report(event: Mapping[str, Any], bucket: str, clock: Callable[[], float]) -> dict[str, str]:
    """Tell the author that the upload is done.

    ``event`` has ``upload``, and ``status`` as returned by :func:`activate`.
    """
    upload, status = event["upload"], BundleStatus(event["status"])
    store.tell(bucket, upload["key"], upload["sequencer"], status, _SAID[status], clock())
    return {"status": status.value}


def reject(
    event: Mapping[str, Any], settings: Settings, clock: Callable[[], float]
) -> dict[str, str]:
    """Tell the author why an upload was rejected, and clean up after it.

    ``event`` has ``time`` and ``detail`` as S3 sent them, and ``error`` (``Error``, ``Cause``). If
    the upload was checked, ``checked`` has ``upload``.
    """
    wanted = event["detail"]["object"]
    key, sequencer = wanted["key"], wanted.get("sequencer", "")
    error = event.get("error") or {}
    status, message = BundleStatus.REJECTED, reason(error, key)
    upload: Upload | None = event.get("checked", {}).get("upload")
    app = _app((upload.get("app", "") if upload else "") or _location_of(key))
    if app is not None and app.active_upload == upload_order(event["time"], sequencer):
        # A step failed after the switch, or reported a failure although it succeeded.
        status, message = BundleStatus.ACTIVE, _SAID[BundleStatus.ACTIVE]
    now = clock()
    _receive(event, now)  # not yet recorded if the check failed early
    blameless = status is BundleStatus.REJECTED and is_blameless(error)
    store.tell(settings.bucket, key, sequencer, status, message, now, blameless=blameless)
    telemetry.logger.warning(
        "rejected", extra={"bundle": key, "why": message, "status": status.value}
    )
    if upload is not None and status is BundleStatus.REJECTED:
        is_gone = app is None or app.app_id != upload["app_id"]
        if is_gone or error.get("Error") != Failure.BAD_BUNDLE:  # a build cleans up after BadBundle
            versions.add_removed(
                upload["app_id"],
                upload["version"],
                key,
                kept_key(upload["app_id"], upload["version"], key),
                now,
            )
        if is_gone:  # files deleted with the app may have been written again
            retention.start({"deleted": upload["app_id"]}, settings.state_machine("tidy"))
    return {"status": status.value}


def is_blameless(error: Mapping[str, Any]) -> bool:
    """Return whether the same files may succeed another time. Pure.

    A build that takes too long would take as long again.
    """
    return error.get("Error") not in (Failure.BAD_BUNDLE, Failure.TIMEOUT)


def reason(error: Mapping[str, Any], key: str) -> str:
    """Return the sentence for the author. Pure.

    For a bad bundle it is the error's own message; for anything else it says that the bundle is not
    at fault.
    """
    name, cause = str(error.get("Error", "")), str(error.get("Cause", ""))
    message = _message_of(cause)
    if name == Failure.BAD_BUNDLE:
        return message
    file = key.rsplit("/", 1)[-1]
    if name in (Failure.TIMEOUT, Failure.HEARTBEAT_TIMEOUT):
        return (
            f"bundle {file}: unpacking it did not come to an end in time ({name}); upload it again"
        )
    return (
        f"bundle {file}: it could not be unpacked, which is not its fault ({name}: "
        f"{message[:500]}); upload it again"
    )


def _message_of(cause: str) -> str:
    """Return the message in a cause; a Lambda's error is JSON with a message in it."""
    try:
        value = json.loads(cause)
    except (ValueError, RecursionError):
        return cause
    return str(value.get("errorMessage", cause)) if isinstance(value, dict) else cause


def _receive(event: Mapping[str, Any], now: float) -> bool:
    """Record an upload; return whether there is something to do."""
    wanted = event["detail"]["object"]
    key, sequencer = wanted["key"], wanted.get("sequencer", "")
    version = version_name(event["time"], key, sequencer)
    return store.receive(key, sequencer, wanted.get("etag", ""), _location_of(key), version, now)


def _app(name: str) -> App | None:
    try:
        return apps.get(name) if name else None
    except NoSuchApp:
        return None


def _location_of(key: str) -> str:
    try:
        return BundleKey.parse(key).location
    except BadBundle:
        return ""
