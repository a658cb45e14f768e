"""An upload to ``config/shiny-server.conf`` applies the file. Outside the VPC."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import telemetry
from chalicelib.applying import changes, contents, store
from chalicelib.applying.decision import ConfigurationStanding, ConfigurationUpload, standing
from chalicelib.applying.gathering import LARGEST_TEXT, InBucket, gather
from chalicelib.applying.model import ConfigurationRow
from chalicelib.aws import clients
from chalicelib.configuration.errors import BadConfiguration
from chalicelib.configuration.keys import OUTCOME, UPLOAD
from chalicelib.publishing.keys import upload_order, version_name


def on_upload(event: Mapping[str, Any], bucket: str, clock: Callable[[], float]) -> None:
    """Apply an uploaded file, or say beside it why that cannot be done.

    ``event`` is EventBridge's "Object Created". It may come late and more than once (FACTS E7, H4).
    """
    detail = event["detail"]
    if detail["bucket"]["name"] != bucket or detail["object"]["key"] != UPLOAD:
        return
    found = detail["object"]
    sequencer = found.get("sequencer", "")
    upload = ConfigurationUpload(
        upload_order(event["time"], sequencer),
        datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp(),
    )
    match standing(store.pointer(), upload):
        case ConfigurationStanding.OUTDATED:
            telemetry.logger.info("a later upload was applied", extra={"upload": upload.position})
            return
        case ConfigurationStanding.REPEATED:
            show(bucket)
            return
    content = _fetch(bucket, found.get("etag", ""))
    if content is None:
        telemetry.logger.info("another upload follows", extra={"upload": upload.position})
        return
    configuration_id = version_name(event["time"], UPLOAD, sequencer)
    by, now = f"an upload by {detail.get('requester') or 'somebody'}", clock()
    file = f"s3://{bucket}/{UPLOAD}"
    try:
        gathered = gather(content, file, InBucket(bucket))
    except BadConfiguration as error:
        changes.refuse(bucket, configuration_id, file, str(error), by, now, upload=upload)
    else:
        contents.put(bucket, configuration_id, gathered.content, gathered.passwords)
        changes.apply(bucket, configuration_id, by, now, gathered.notes, upload)
    show(bucket)


def _fetch(bucket: str, etag: str) -> bytes | None:
    """Return the upload's bytes; None: another one has taken its place, whose event follows."""
    only = {"IfMatch": etag} if etag else {}
    try:
        answer = clients.client("s3").get_object(Bucket=bucket, Key=UPLOAD, **only)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("PreconditionFailed", "412", "NoSuchKey"):
            return None
        raise
    content: bytes = answer["Body"].read(LARGEST_TEXT + 1)
    return content


def show(bucket: str) -> None:
    """Write the outcome of the newest upload beside it.

    Two callers may do this at once, and S3 does not order their writes. So a caller looks again
    after its write, and repeats it if there is a newer upload: the last write is never an older
    outcome.
    """
    pointer = store.pointer()
    while pointer.upload_entry:
        row = store.entry(pointer.upload_entry)
        if row is None:
            return
        clients.client("s3").put_object(
            Bucket=bucket,
            Key=OUTCOME,
            Body=json.dumps(_document(row), indent=1, ensure_ascii=False).encode(),
            ContentType="application/json",
        )
        before, pointer = pointer, store.pointer()
        if pointer.upload_entry == before.upload_entry:
            return


def _document(row: ConfigurationRow) -> dict[str, Any]:
    at = datetime.fromtimestamp(float(row.at), UTC)
    return {**changes.outcome(row), "by": row.by, "updated": at.strftime("%Y-%m-%dT%H:%M:%SZ")}
