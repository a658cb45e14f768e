"""Real folders as objects of a bucket: what they hold is read as if it lay in the bucket.

Listing takes a delimiter, as those who look into one folder give. Writing is refused.
"""

import asyncio
import base64
import binascii
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import formatdate
from mimetypes import guess_type
from typing import NamedTuple
from urllib.parse import quote
from xml.sax.saxutils import escape

from aiohttp import web

from infra.emulator.aws_errors import AwsError
from infra.emulator.endpoint.operations import s3_path
from infra.emulator.keys import AccessKey
from infra.emulator.s3.folders import ShownEntry, ShownFolder

MOST_KEYS = 1000
_BLOCK = 1 << 18
_WRITING = frozenset({"PUT", "POST", "DELETE"})


class Shown(NamedTuple):
    """A folder that is shown below a prefix of a bucket."""

    bucket: str
    prefix: str
    """It ends with a slash."""
    folder: ShownFolder


class ShownFolders:
    """Answers what concerns shown folders, and leaves the rest to others.

    ``shown`` returns the folders as they are now.
    """

    def __init__(self, shown: Callable[[], Sequence[Shown]]) -> None:
        self._shown = shown

    async def handle(
        self, request: web.Request, operation: str, _body: bytes, _key: AccessKey
    ) -> web.StreamResponse | None:
        """Answer a call; None if no shown folder is concerned."""
        bucket, key = s3_path(request)
        if operation == "ListObjects":
            prefix = request.query.get("prefix", "")
            shown = self._of(bucket, prefix)
            return await self._list(request, shown, prefix) if shown is not None else None
        shown = self._of(bucket, key) if key else None
        if shown is None:
            return None
        if request.method in _WRITING:
            raise AwsError(
                "MethodNotAllowed", f"{shown.prefix} is a folder of this machine; write there", 405
            )
        return await self._get(request, shown, key)

    def _of(self, bucket: str, key: str) -> Shown | None:
        """Return the folder in which a key is, the deepest of several."""
        found = [
            each for each in self._shown() if each.bucket == bucket and key.startswith(each.prefix)
        ]
        return max(found, key=lambda each: len(each.prefix), default=None)

    async def _list(self, request: web.Request, shown: Shown, prefix: str) -> web.Response:
        query = request.query
        if query.get("delimiter") != "/" or query.get("list-type") != "2":
            raise AwsError(
                "NotImplemented",
                f"{shown.prefix} is a folder of this machine; list it by ListObjectsV2, with the "
                "delimiter /",
                501,
            )
        folder, _, beginning = prefix.rpartition("/")
        path = folder[len(shown.prefix) :]
        try:
            entries = await asyncio.to_thread(shown.folder.entries, path)
        except OSError:
            entries = None
        listed = {
            f"{folder}/{each.name}{'/' if each.is_folder else ''}": each
            for each in entries or ()
            if each.name.startswith(beginning)
        }
        if entries is not None and not listed and not beginning:
            listed[f"{folder}/"] = ShownEntry(
                "", False, 0, 0
            )  # an empty folder, as consoles make it
        try:
            most = max(0, min(MOST_KEYS, int(query.get("max-keys", MOST_KEYS))))
            after = _after(query.get("continuation-token"), query.get("start-after", ""))
        except ValueError:
            raise AwsError("InvalidArgument", "max-keys or the token is wrong") from None
        keys = sorted((key for key in listed if key > after), key=os.fsencode)
        page = keys[:most]
        cut = len(keys) > len(page) > 0
        encoded = query.get("encoding-type") == "url"
        return web.Response(
            text=_listing(request, shown.bucket, prefix, page, listed, cut, encoded=encoded),
            content_type="application/xml",
        )

    async def _get(self, request: web.Request, shown: Shown, key: str) -> web.StreamResponse:
        path = key[len(shown.prefix) :]
        try:
            opened = None if key.endswith("/") else await asyncio.to_thread(shown.folder.open, path)
        except OSError:
            raise AwsError("AccessDenied", "Access Denied", 403) from None
        if opened is None:
            raise AwsError("NoSuchKey", "The specified key does not exist.", 404)
        file, entry = opened
        try:
            return await _answer(request, file, entry)
        finally:
            os.close(file)


async def _answer(request: web.Request, file: int, entry: ShownEntry) -> web.StreamResponse:
    matching = request.headers.get("If-Match")
    if matching is not None and matching not in (entry.etag, "*"):
        raise AwsError("PreconditionFailed", "At least one of the preconditions failed.", 412)
    headers = {
        "ETag": entry.etag,
        "Last-Modified": formatdate(entry.modified_ns // 10**9, usegmt=True),
        "Accept-Ranges": "bytes",
        "Content-Type": guess_type(entry.name)[0] or "binary/octet-stream",
    }
    if request.headers.get("If-None-Match") == entry.etag:
        return web.Response(status=304, headers=headers)
    first, last, status = 0, entry.size - 1, 200
    if request.headers.get("Range") is not None:
        try:
            wanted = request.http_range
        except ValueError:
            wanted = slice(0, None)
        start = wanted.start or 0
        first = max(0, entry.size + start) if start < 0 else start
        last = min(entry.size, entry.size if wanted.stop is None else wanted.stop) - 1
        if first > last:
            raise AwsError("InvalidRange", "The requested range is not satisfiable", 416)
        status, headers["Content-Range"] = 206, f"bytes {first}-{last}/{entry.size}"
    answer = web.StreamResponse(status=status, headers=headers)
    answer.content_length = left = last - first + 1
    await answer.prepare(request)
    if request.method == "HEAD":
        return answer
    while left > 0:
        block = await asyncio.to_thread(os.pread, file, min(_BLOCK, left), first)
        if not block:
            break  # it has become shorter; the answer is cut, and its reader notices
        await answer.write(block)
        first, left = first + len(block), left - len(block)
    if left == 0:
        await answer.write_eof()
    return answer


def _after(token: str | None, start: str) -> str:
    if token is None:
        return start
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None


def _listing(
    request: web.Request,
    bucket: str,
    prefix: str,
    page: Sequence[str],
    listed: dict[str, ShownEntry],
    cut: bool,
    *,
    encoded: bool,
) -> str:
    def told(text: str) -> str:
        return quote(text, safe="/") if encoded else escape(text)

    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">',
        f"<Name>{escape(bucket)}</Name><Prefix>{told(prefix)}</Prefix><Delimiter>/</Delimiter>",
        f"<MaxKeys>{escape(request.query.get('max-keys', str(MOST_KEYS)))}</MaxKeys>",
        f"<KeyCount>{len(page)}</KeyCount><IsTruncated>{str(cut).lower()}</IsTruncated>",
    ]
    if encoded:
        lines.append("<EncodingType>url</EncodingType>")
    if cut:
        token = base64.urlsafe_b64encode(page[-1].encode()).decode()
        lines.append(f"<NextContinuationToken>{token}</NextContinuationToken>")
    for key in page:
        entry = listed[key]
        if entry.is_folder:
            lines.append(f"<CommonPrefixes><Prefix>{told(key)}</Prefix></CommonPrefixes>")
            continue
        at = datetime.fromtimestamp(entry.modified_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        lines.append(
            f"<Contents><Key>{told(key)}</Key><LastModified>{at}.000Z</LastModified>"
            f"<ETag>{escape(entry.etag)}</ETag><Size>{entry.size}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
        )
    return "\n".join([*lines, "</ListBucketResult>"])
