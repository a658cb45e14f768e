"""Which versions go: those that are neither kept, nor active, nor the one before, nor used by anybody, and all of an app that was deleted;
and how they go.

A version is first marked, on the condition that it is not active and not the one before: from then on it cannot become active. Then a
task removes its files, then its bundle and what was told of it go, and last its row. What broke off on the way is found by its mark, and
done again. Of an app that was deleted everything goes, with its data; its versions' rows, which no app has any more, go last.
"""

import json
import uuid
from collections.abc import Callable, Collection, Sequence
from typing import NotRequired, TypedDict

from pynamodb.exceptions import DeleteError, TransactWriteError

from chalicelib import telemetry
from chalicelib.apps import store, versions
from chalicelib.apps.errors import NoSuchApp
from chalicelib.apps.model import App, Version
from chalicelib.aws import clients
from chalicelib.aws.tables import refused, transaction
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.instances import store as instances
from chalicelib.instances.model import VersionId
from chalicelib.instances.state import LIVING, is_overdue
from chalicelib.publishing.keys import log_key, outcome_key
from chalicelib.publishing.model import Bundle
from chalicelib.publishing.status import BundleStatus


class TidyEvent(TypedDict):
    """Where the state machine is to tidy: one of them."""

    location: NotRequired[str]
    """The versions of this app that are too many."""
    deleted: NotRequired[str]
    """``app_id`` of an app that was deleted: all of it."""


class Removal(TypedDict):
    """One version that is to go, or all of an app; what the state machine passes on."""

    app_id: str
    version: str
    """Empty: all of an app that was deleted."""
    remove: str
    """As ``tasks.remove`` wants it."""


def not_kept(names: Sequence[str], needed: Collection[str | None], kept: int) -> list[str]:
    """Return which of an app's versions are too many. Pure.

    ``names`` are all, the newest first; ``needed`` stay whatever their age; ``kept``: how many of the newest stay.
    """
    return [name for name in names[kept:] if name not in needed]


def due(app: App, now: float) -> list[str]:
    """Return the app's versions that may go, and those that began to."""
    rows = versions.of(app.app_id)
    leaving = [row.version for row in rows if row.removing_at is not None]
    there = [row.version for row in rows if row.removing_at is None]
    kept = app.effective_settings().versions_kept
    too_many = not_kept(there, (app.active_version, app.previous_version), kept)
    return leaving + [version for version in too_many if not _lives(app.app_id, version, now)]


def begin(event: TidyEvent, clock: Callable[[], float]) -> list[Removal]:
    """Mark the versions of an app that are to go, and return them; may come more than once (FACTS H4)."""
    if "deleted" in event:
        return _all_of(event["deleted"])
    location = event["location"]
    try:
        app = store.get(location)
    except NoSuchApp:
        return []
    now = clock()
    marked = [version for version in due(app, now) if _mark(app, version, now)]
    if marked:
        telemetry.logger.info("removes versions", extra={"app": location, "versions": marked})
    return [{"app_id": app.app_id, "version": version, "remove": f"{app.app_id}/{version}"} for version in marked]


def _all_of(app_id: str) -> list[Removal]:
    """An id is given once: what no app has, none will ever have again."""
    if any(app.app_id == app_id for app in App.scan(consistent_read=True)):
        return []
    return [{"app_id": app_id, "version": "", "remove": app_id}]


def finish(removal: Removal, bucket: str) -> None:
    """Forget a marked version whose files are gone: its bundle, what was told of it, and its row; may come more than once.

    Why an upload was rejected stays told. Of an app that was deleted likewise the kept copies of its versions' bundles, and their rows.
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
    is_its_own = upload is not None and upload.version == row.version and upload.status != BundleStatus.REJECTED
    told = [outcome_key(row.bundle), log_key(row.bundle)] if is_its_own else []
    for key in filter(None, (row.source, *told)):
        clients.client("s3").delete_object(Bucket=bucket, Key=key)
    if told and upload is not None:
        _delete(upload, Bundle.version == row.version)
    _delete(row, Version.removing_at.exists())


def sweep(state_machine: str, clock: Callable[[], float]) -> list[str]:
    """Start the state machine for each app of which a version could go, or began to: what no publish has done; and for what is left of
    apps that were deleted. Return the locations and ids."""
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
        telemetry.logger.warning("an app's settings cannot be read", extra={"app": app.location, "error": str(error)})
        return False


def start(event: TidyEvent, state_machine: str) -> None:
    """Start the state machine."""
    clients.client("stepfunctions").start_execution(stateMachineArn=state_machine, name=str(uuid.uuid4()), input=json.dumps(event))


def _lives(app_id: str, version: str, now: float) -> bool:
    rows = instances.of_version(str(VersionId(app_id, version)))
    return any(row.state in LIVING and not is_overdue(row.state, float(row.claimed_at), now) for row in rows)


def _mark(app: App, version: str, now: float) -> bool:
    """Mark it, in one write that also checks that nobody has made it active since."""
    not_needed = App.app_id == app.app_id
    for needed in (App.active_version, App.previous_version):
        not_needed &= needed.does_not_exist() | (needed != version)
    try:
        with transaction() as write:
            write.update(Version(app.app_id, version), [Version.removing_at.set(Version.removing_at | now)], Version.version.exists())
            write.condition_check(App, app.location, condition=not_needed)
    except TransactWriteError as error:
        if refused(error):
            return False
        raise
    return True


def _delete(row: Version | Bundle, condition: object) -> None:
    try:
        row.delete(condition=condition)
    except DeleteError as error:
        if not refused(error):
            raise
