"""What the build log of an upload says that its author must not miss."""

from botocore.exceptions import ClientError

from chalicelib import aws
from chalicelib.bundles.keys import log_key
from tasks.packages.log import NOTE


def notes(bucket: str, key: str) -> list[str]:
    """Return the notes about the upload under ``key``; none when its build kept no log: it had nothing to install."""
    try:
        body = aws.client("s3").get_object(Bucket=bucket, Key=log_key(key))["Body"]
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return []
        raise
    lines = (line.decode(errors="replace") for line in body.iter_lines())
    return [line.removeprefix(NOTE) for line in lines if line.startswith(NOTE)]
