"""The bucket, for large bodies.

Blocking calls run in threads. For one object, no more than a part is in memory.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from chalicelib.aws.signing import CredentialSource
from chalicelib.aws.sigv4 import Credentials
from chalicelib.bodies.links import Links
from chalicelib.bodies.presign import Signing
from chalicelib.bodies.stored import ObjectHeaders


class UploadedPart(NamedTuple):
    """A part that S3 has."""

    number: int
    size: int
    etag: str


class Objects:
    """Objects in ``bucket``.

    :param s3: returns the boto3 client, made when it is first used.
    :param url: where browsers reach S3: absolute, ``/`` for the page's own host, or empty for AWS's
        own endpoint.
    """

    def __init__(
        self,
        bucket: str,
        s3: Callable[[], Any],
        region: str,
        credentials: CredentialSource,
        url: str = "",
    ) -> None:
        self._bucket = bucket
        self._s3 = s3
        self._region = region
        self._credentials = credentials
        self._links = Links(bucket, region, url)

    async def begin(self, key: str, stored: ObjectHeaders | None = None) -> str:
        """Begin a multipart upload; return its id."""
        parameters = stored.parameters() if stored else {}
        answer = await self._call("create_multipart_upload", key, **parameters)
        upload_id: str = answer["UploadId"]
        return upload_id

    async def put_part(self, key: str, upload_id: str, number: int, data: bytes) -> UploadedPart:
        """Send one part."""
        answer = await self._call(
            "upload_part", key, UploadId=upload_id, PartNumber=number, Body=data
        )
        return UploadedPart(number, len(data), answer["ETag"])

    async def parts(self, key: str, upload_id: str) -> list[UploadedPart]:
        """Return the parts that have arrived."""
        found: list[UploadedPart] = []
        marker = 0
        while True:
            page = await self._call(
                "list_parts", key, UploadId=upload_id, PartNumberMarker=marker, MaxParts=1000
            )
            found += [
                UploadedPart(part["PartNumber"], part["Size"], part["ETag"])
                for part in page.get("Parts", [])
            ]
            if not page.get("IsTruncated"):
                return found
            marker = int(page["NextPartNumberMarker"])

    async def complete(self, key: str, upload_id: str, parts: Iterable[UploadedPart]) -> None:
        """Make the object from its parts."""
        listed = [{"PartNumber": part.number, "ETag": part.etag} for part in sorted(parts)]
        await self._call(
            "complete_multipart_upload", key, UploadId=upload_id, MultipartUpload={"Parts": listed}
        )

    async def abort(self, key: str, upload_id: str) -> None:
        """Give up a multipart upload, with its parts."""
        await self._call("abort_multipart_upload", key, UploadId=upload_id)

    async def read(self, key: str, first: int, last: int) -> bytes:
        """Return the bytes ``first`` to ``last``, both included."""

        def read() -> bytes:
            answer = self._s3().get_object(
                Bucket=self._bucket, Key=key, Range=f"bytes={first}-{last}"
            )
            with answer["Body"] as body:
                data: bytes = body.read()
            return data

        return await asyncio.to_thread(read)

    async def delete(self, key: str) -> None:
        """Delete an object."""
        await self._call("delete_object", key)

    async def signing(self) -> Signing:
        """Return the current credentials for signing."""
        found = await asyncio.to_thread(self._credentials.get_frozen_credentials)
        return Signing(self._region, Credentials(found.access_key, found.secret_key, found.token))

    def link(
        self,
        signing: Signing,
        method: str,
        key: str,
        host: str,
        seconds: int,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Return a presigned URL.

        ``host`` is the host to which the visitor's request was sent. Raise :class:`NoHost` if a URL
        for it cannot be signed.
        """
        return self._links.link(signing, method, key, host, time.time(), seconds, query, headers)

    async def _call(self, operation: str, key: str, **parameters: Any) -> Any:
        def call() -> Any:
            return getattr(self._s3(), operation)(Bucket=self._bucket, Key=key, **parameters)

        return await asyncio.to_thread(call)
