"""The rows of bundles, and the outcomes in S3 beside them."""

import json

from pynamodb.exceptions import PutError, UpdateError
from pynamodb.expressions.update import Action

from chalicelib import aws
from chalicelib.bundles.keys import outcome_key, padded
from chalicelib.bundles.model import Bundle
from chalicelib.bundles.status import OVER, BundleStatus

_REFUSED = "ConditionalCheckFailedException"


def receive(key: str, sequencer: str, etag: str, location: str, version: str | None, now: float) -> bool:
    """Record an upload, unless it is known to be over or a later one under this key was recorded; say whether there is something to do."""
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
    over = [status.value for status in OVER]
    newer = Bundle.key.does_not_exist() | (Bundle.sequencer < order)
    again = (Bundle.sequencer == order) & ~Bundle.status.is_in(*over)
    try:
        row.save(condition=newer | again)
    except PutError as error:
        if error.cause_response_code == _REFUSED:
            return False
        raise
    return True


def progress(key: str, sequencer: str, status: BundleStatus, message: str, now: float) -> bool:
    """Say what happens to an upload now; False when a later one has taken its place."""
    actions: list[Action] = [Bundle.status.set(status.value), Bundle.message.set(message), Bundle.updated_at.set(now)]
    try:
        Bundle(key).update(actions=actions, condition=Bundle.sequencer == padded(sequencer))
    except UpdateError as error:
        if error.cause_response_code == _REFUSED:
            return False
        raise
    return True


def find(key: str) -> Bundle | None:
    """Read what became of the newest upload under a key."""
    try:
        return Bundle.get(key, consistent_read=True)
    except Bundle.DoesNotExist:
        return None


def write_outcome(bucket: str, key: str, status: BundleStatus, message: str, location: str, version: str) -> None:
    """Leave what became of an upload where its author can read it without access to the tables."""
    outcome = {
        "key": key,
        "status": status.value,
        "message": message,
        "location": location,
        "version": version,
        "path": location if location.endswith("/") or not location else location + "/",
    }
    aws.client("s3").put_object(
        Bucket=bucket, Key=outcome_key(key), Body=json.dumps(outcome, indent=1).encode(), ContentType="application/json"
    )
