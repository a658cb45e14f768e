"""Which versions are removed, and how.

A version is removed if it is none of these: kept, active, the one before, or in use. All of a
deleted app is removed.

A version is first marked, on the condition that it is neither active nor the one before. A marked
version cannot become active. Then a task removes its files, then its bundle and outcome are
removed, and finally its row. If the removal is interrupted, the mark is found later and the removal
is repeated. Of a deleted app everything is removed, with its data. The rows of its versions, which
no app has any more, are removed last.
"""

import json
import uuid
from collections.abc import Callable, Collection, Sequence
from typing import NotRequired, TypedDict

from chalicelib import telemetry
from chalicelib.apps import store, versions
from chalicelib.apps.errors import NoSuchApp
from chalicelib.apps.model import App, Version
from chalicelib.aws import clients
from chalicelib.aws.tables import Together
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.instances import store as instances
from chalicelib.instances.model import VersionId
from chalicelib.instances.state import LIVING, is_overdue
from chalicelib.publishing.keys import log_key, outcome_key
from chalicelib.publishing.model import Bundle
from chalicelib.publishing.status import BundleStatus


class TidyEvent(TypedDict):
    """What the state machine is to tidy: exactly one of these."""

    location: NotRequired[str]
    """Location of an app whose superfluous versions are to be removed."""
    deleted: NotRequired[str]
    """``app_id`` of a deleted app, to be removed completely."""


class Removal(TypedDict):
    """A version to be removed, or all of an app; passed from step to step by the state machine."""

    app_id: str
    version: str
    """Empty: all of a deleted app."""
    remove: str
    """The path, as ``tasks.remove`` takes it."""


def not_kept(names: Sequence[str], needed: Collection[str | None], kept: int) -> list[str]:
    """Return the superfluous versions of an app. Pure.

    ``names`` are all versions, newest first. ``needed`` versions stay whatever their age. ``kept``
    is the number of newest versions that stay.
    """
    return [name for name in names[kept:] if name not in needed]


def due(app: App, now: float) -> list[str]:
    """Return the app's versions that may be removed, and those marked already."""
    rows = versions.of(app.app_id)
    leaving = [row.version for row in rows if row.removing_at is not None]
    there = [row.version for row in rows if row.removing_at is None]
    kept = app.resolved().settings.versions_kept
    too_many = not_kept(there, (app.active_version, app.previous_version), kept)
    return leaving + [version for version in too_many if not _lives(app.app_id, version, now)]


def begin(event: TidyEvent, clock: Callable[[], float]) -> list[Removal]:
    """Mark the versions of an app to be removed, and return them; may be repeated (FACTS H4)."""
    if "deleted" in event:
        return _all_of(event["deleted"])
    location = event["location"]
    try:
        app = store.at(location)
    except NoSuchApp:
        return []
    now = clock()
    marked = [version for version in due(app, now) if _mark(app, version, now)]
    if marked:
        telemetry.logger.info("removes versions", extra={"app": location, "versions": marked})
    return [
        {"app_id": app.app_id, "version": version, "remove": f"{app.app_id}/{version}"}
        for version in marked
    ]


def _all_of(app_id: str) -> list[Removal]:
    """Return the removal of all of a deleted app, or nothing if the app exists.

    An id is used once: if no app has it now, none will have it again.
    """
    if any(app.app_id == app_id for app in App.scan(consistent_read=True)):
        return []
    return [{"app_id": app_id, "version": "", "remove": app_id}]


def finish(removal: Removal, bucket: str) -> None:
    """Forget a marked version whose files are gone; may be repeated.

    This removes its bundle, its outcome and its row. The outcome of a rejected upload stays. For a
    deleted app, it removes the kept copies of its versions' bundles, and the versions' rows.
    """
    if not removal["version"]:
        for version in versions.of(removal["app_id"]):
            if version.source is not None:
                clients.client("s3").delete_object(Bucket=bucket, Key=version.source)
            version.delete()
        return
    try:
        row = Version.get(removal["app_id"], removal["version"], consistent_read=True)
    except Version.DoesNotExist:
        return
    if row.removing_at is None:
        return
    upload = next(iter(Bundle.batch_get([row.bundle], consistent_read=True)), None)
    is_its_own = (
        upload is not None
        and upload.version == row.version
        and upload.status != BundleStatus.REJECTED
    )
    told = [outcome_key(row.bundle), log_key(row.bundle)] if is_its_own else []
    for key in filter(None, (row.source, *told)):
        clients.client("s3").delete_object(Bucket=bucket, Key=key)
    if told and upload is not None:
        upload.delete_if(Bundle.version == row.version)
    row.delete_if(Version.removing_at.exists())


def sweep(state_machine: str, clock: Callable[[], float]) -> list[str]:
    """Start the state machine where something is left to remove; return locations and ids.

    These are apps with versions that may be removed or are marked, which no publish has removed,
    and the remains of deleted apps.
    """
    with_versions = {version.app_id for version in Version.scan()}
    apps = store.everywhere()
    locations = [app.location for app in apps if _is_due(app, clock())]
    deleted = sorted(with_versions - {app.app_id for app in apps})
    for location in locations:
        start({"location": location}, state_machine)
    for app_id in deleted:
        start({"deleted": app_id}, state_machine)
    return locations + deleted


def _is_due(app: App, now: float) -> bool:
    try:
        return bool(due(app, now))
    except BadAppSetting as error:
        telemetry.logger.warning(
            "an app's settings cannot be read", extra={"app": app.name, "error": str(error)}
        )
        return False


def start(event: TidyEvent, state_machine: str) -> None:
    """Start the state machine that tidies."""
    clients.client("stepfunctions").start_execution(
        stateMachineArn=state_machine, name=str(uuid.uuid4()), input=json.dumps(event)
    )


def _lives(app_id: str, version: str, now: float) -> bool:
    rows = instances.of_version(str(VersionId(app_id, version)))
    return any(
        row.state in LIVING and not is_overdue(row.state, float(row.claimed_at), now)
        for row in rows
    )


def _mark(app: App, version: str, now: float) -> bool:
    """Mark a version, in one write that also checks that it has not become active since."""
    not_needed = App.app_id == app.app_id
    for needed in (App.active_version, App.previous_version):
        not_needed &= needed.does_not_exist() | (needed != version)
    together = Together()
    together.update(
        Version(app.app_id, version),
        [Version.removing_at.set(Version.removing_at | now)],
        Version.version.exists(),
    )
    together.condition_check(App, app.name, condition=not_needed)
    return together.write_if()
