"""The rows of bundles, and the copies of their outcomes in S3."""

import json
from datetime import UTC, datetime

from pynamodb.expressions.update import Action

from chalicelib.aws import clients
from chalicelib.publishing.keys import outcome_key, padded
from chalicelib.publishing.model import Bundle
from chalicelib.publishing.status import OVER, BundleStatus


def receive(
    key: str, sequencer: str, etag: str, location: str, version: str | None, now: float
) -> bool:
    """Record an upload; return whether there is something to do.

    There is nothing to do, and nothing is recorded, if this upload is over or if a later one under
    this key was recorded.
    """
    order = padded(sequencer)
    row = Bundle(
        key,
        sequencer=order,
        etag=etag,
        location=location,
        version=version,
        status=BundleStatus.RECEIVED.value,
        message="The upload has arrived.",
        updated_at=now,
    )
    over = sorted(status.value for status in OVER)
    newer = Bundle.key.does_not_exist() | (Bundle.sequencer < order)
    again = (Bundle.sequencer == order) & ~Bundle.status.is_in(*over)
    return row.save_if(newer | again)


def tell(
    bucket: str,
    key: str,
    sequencer: str,
    status: BundleStatus,
    message: str,
    now: float,
    *,
    blameless: bool = False,
    app_id: str = "",
) -> bool:
    """Record the status of an upload, in its row and beside it in S3; return whether it applied.

    It does not apply if a later upload has taken its place under this key, or if the upload is
    over: a final status stays. ``blameless`` and ``app_id`` are as in the row.
    """
    actions: list[Action] = [
        Bundle.status.set(status.value),
        Bundle.message.set(message),
        Bundle.updated_at.set(now),
    ]
    if blameless:
        actions.append(Bundle.blameless.set(True))
    if app_id:
        actions.append(Bundle.app_id.set(app_id))
    over = sorted(each.value for each in OVER if each != status)
    going_on = (Bundle.sequencer == padded(sequencer)) & ~Bundle.status.is_in(*over)
    if not Bundle(key).update_if(going_on, actions):
        return False
    _show(bucket, key)
    return True


def find(key: str) -> Bundle | None:
    """Return the row of the newest upload under a key, or None."""
    try:
        return Bundle.get(key, consistent_read=True)
    except Bundle.DoesNotExist:
        return None


def _show(bucket: str, key: str) -> None:
    """Write what the row says to S3, where its author can read it without access to the tables.

    Two callers may do this at once, and S3 does not order their writes. So a caller reads the row
    again after its write, and repeats it if the row has changed: the last write is never an older
    state.
    """
    row = find(key)
    while row is not None:
        document = _document(row)
        clients.client("s3").put_object(
            Bucket=bucket,
            Key=outcome_key(key),
            Body=json.dumps(document, indent=1).encode(),
            ContentType="application/json",
        )
        row = find(key)
        if row is None or _document(row) == document:
            return


def _document(row: Bundle) -> dict[str, str]:
    location = row.location
    return {
        "key": row.key,
        "status": row.status,
        "message": row.message,
        "location": location,
        "version": row.version or "",
        "path": location if location.endswith("/") or not location else location + "/",
        "updated": datetime.fromtimestamp(row.updated_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
