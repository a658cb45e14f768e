"""The build log of an upload, as ``sheen publish`` shows it."""

import math
import time

from botocore.exceptions import ClientError

from chalicelib.aws import clients
from chalicelib.publishing.keys import log_key

EVERY = 2.0
"""Seconds between two looks. The build writes its log about as often."""
OVERLAP = 1024
"""Bytes that each look reads again. If they have changed, the build has begun a new log."""
_NOTHING_THERE = ("NoSuchKey", "404", "InvalidRange", "416", "AccessDenied", "403")
"""S3's answers for a missing object, with and without the right to list the bucket."""


class BuildLogReader:
    """Reads what was added to a build log since the last look.

    A build that is tried again begins a new log, which is then read from its beginning.
    """

    def __init__(self, bucket: str, key: str, every: float = EVERY) -> None:
        """``key`` is the upload's."""
        self._bucket = bucket
        self._key = log_key(key)
        self._every = every
        self._read = 0
        self._newest = b""
        """The last :data:`OVERLAP` bytes that were read."""
        self._looked = -math.inf
        """The time of the last look, by a clock that may have begun just now."""
        self._begun = b""

    def lines(self, *, over: bool = False) -> list[str]:
        """Return the new lines, or none if the last look was just now.

        With ``over``, read to the end, including a last line without a newline.
        """
        if not over and time.monotonic() - self._looked < self._every:
            return []
        self._looked = time.monotonic()
        more = self._more()
        text = self._begun + more
        whole, newline, self._begun = text.rpartition(b"\n")
        if over:
            whole, newline, self._begun = text.removesuffix(b"\n"), text[:1], b""
        return whole.decode(errors="replace").split("\n") if newline else []

    def _more(self) -> bytes:
        data = self._from(self._read - len(self._newest))
        if data.startswith(self._newest):
            data = data.removeprefix(self._newest)
        else:
            self._read, self._newest, self._begun = 0, b"", b""
            data = self._from(0)
        self._read += len(data)
        self._newest = (self._newest + data)[-OVERLAP:]
        return data

    def _from(self, start: int) -> bytes:
        try:
            body = clients.client("s3").get_object(
                Bucket=self._bucket, Key=self._key, Range=f"bytes={start}-"
            )["Body"]
            data: bytes = body.read()
        except ClientError as error:
            if error.response["Error"]["Code"] in _NOTHING_THERE:
                return b""
            raise
        return data
