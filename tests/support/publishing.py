"""Uploads to a stack, and their outcomes."""

import json

from tests.support.stack import StackProcess
from tests.support.waiting import until


def outcome(stack: StackProcess, key: str) -> dict[str, str] | None:
    """What became of the upload ``key``, as its uploader can read it from S3; None as long as it
    goes on.
    """
    s3 = stack.client("s3")
    try:
        body = s3.get_object(
            Bucket=stack.environment()["SHEEN_BUCKET"],
            Key=key.replace("bundles/", "outcomes/") + ".json",
        )["Body"].read()
    except s3.exceptions.NoSuchKey:
        return None
    found: dict[str, str] = json.loads(body)
    return found if found["status"] not in ("received", "building") else None


def upload(stack: StackProcess, key: str, body: bytes) -> dict[str, str]:
    stack.client("s3").put_object(Bucket=stack.environment()["SHEEN_BUCKET"], Key=key, Body=body)
    found = until(lambda: outcome(stack, key), 120, f"an outcome of {key}")
    assert found
    return found
