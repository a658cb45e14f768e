"""The steps of the state machine that publishes: register, activate, reject. Each may run more than once (FACTS H4). Outside the VPC."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NotRequired, TypedDict

from chalicelib import telemetry
from chalicelib.apps import store as apps
from chalicelib.bundles import store
from chalicelib.bundles.errors import BadBundle
from chalicelib.bundles.keys import BundleKey, upload_order, version_name
from chalicelib.bundles.status import BundleStatus


class Upload(TypedDict):
    """What :func:`register` makes of S3's event and the later steps go by. Values are text: they go into a task's environment."""

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


def register(event: Mapping[str, Any], largest: int, clock: Callable[[], float]) -> Upload:
    """Record an upload and make its app, if it is the first. ``event``: EventBridge's "Object Created": ``time``, ``detail``.

    ``largest``: bytes that an upload may have.

    Raise :class:`BadBundle` for an upload that can be seen to be wrong by its name or size.
    """
    wanted = event["detail"]["object"]
    key, sequencer, etag = wanted["key"], wanted.get("sequencer", ""), wanted.get("etag", "")
    version = version_name(event["time"], key, sequencer)
    now = clock()
    # Recorded before it is checked, so that a rejection has a row to go to.
    if not store.receive(key, sequencer, etag, _location_of(key), version, now):
        telemetry.logger.info("nothing to do", extra={"bundle": key})
        return {"build": False}
    parsed = BundleKey.parse(key)
    if wanted.get("size", 0) > largest:
        raise BadBundle(
            f"bundle {parsed.name}: it has {wanted['size']:,} bytes; at most {largest:,} are allowed: "
            "leave data out, or put it on EFS by a sync"
        )
    app = apps.ensure(parsed.location, now)
    store.progress(key, sequencer, BundleStatus.BUILDING, "Getting a machine to unpack the bundle.", now)
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


def activate(event: Mapping[str, Any], bucket: str, clock: Callable[[], float]) -> dict[str, str]:
    """Make a built version the active one, unless a later upload was faster. ``event``: ``upload`` as registered, ``kind``."""
    upload = event["upload"]
    now = clock()
    location, version, key = upload["location"], upload["version"], upload["key"]
    apps.add_version(upload["app_id"], version, bundle=key, kind=event["kind"], now=now)
    if apps.activate(location, version, upload["order"], now):
        status, message = BundleStatus.ACTIVE, "Published."
    else:
        status, message = BundleStatus.SUPERSEDED, "A later upload was published first; this one is kept and not active."
    if store.progress(key, upload["sequencer"], status, message, now):
        store.write_outcome(bucket, key, status, message, location, version)
    telemetry.logger.info("published", extra={"app": location, "version": version, "status": status.value})
    return {"status": status.value}


def reject(event: Mapping[str, Any], bucket: str, clock: Callable[[], float]) -> dict[str, str]:
    """Tell the author why nothing came of an upload. ``event``: ``time``, ``detail`` as S3 sent it, ``error`` (``Error``, ``Cause``)."""
    wanted = event["detail"]["object"]
    key, sequencer = wanted["key"], wanted.get("sequencer", "")
    message = reason(event.get("error") or {}, key)
    if store.progress(key, sequencer, BundleStatus.REJECTED, message, clock()):
        version = version_name(event["time"], key, sequencer)
        store.write_outcome(bucket, key, BundleStatus.REJECTED, message, _location_of(key), version)
    telemetry.logger.warning("rejected", extra={"bundle": key, "why": message})
    return {"status": BundleStatus.REJECTED.value}


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
    except ValueError:
        return cause
    return str(value.get("errorMessage", cause)) if isinstance(value, dict) else cause


def _location_of(key: str) -> str:
    try:
        return BundleKey.parse(key).location
    except BadBundle:
        return ""
