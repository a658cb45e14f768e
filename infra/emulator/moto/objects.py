"""Keep large objects out of memory in moto.

moto keeps values in files (``MOTO_S3_DEFAULT_KEY_BUFFER_SIZE``). But it reads them whole into
memory to complete a multipart upload, to copy them, and to return them or a range of them.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

from moto.s3 import models
from moto.s3.exceptions import EntityTooSmall, InvalidPart, MalformedXML

from infra.emulator.moto.wsgi_server import Stream
from infra.emulator.settings import ACCOUNT

LARGE_BYTES = 1 << 20
"""Size above which objects are served from their file."""
SMALLEST_PART_BYTES = 5 << 20
"""Limit of all parts but the last."""
BLOCK = 1 << 18

Start = Callable[..., Any]


class _Joined(NamedTuple):
    """The value of an object that was joined from parts."""

    file: tempfile.SpooledTemporaryFile[bytes]
    size: int


def adapt() -> None:
    """Make moto join and copy objects file by file."""
    key_value: Any = models.FakeKey.value
    put = key_value.fset

    def set_value(key: models.FakeKey, value: Any) -> None:
        if not isinstance(value, _Joined):
            put(key, value)
            return
        key._value_buffer.close()
        key._value_buffer, key.contentsize = value

    models.FakeKey.value = property(key_value.fget, set_value)  # type: ignore[method-assign,assignment]
    models.FakeMultipart.complete = _complete  # type: ignore[method-assign,assignment]
    copy = models.S3Backend.copy_object

    def copy_object(backend: models.S3Backend, src_key: Any, *arguments: Any, **named: Any) -> None:
        copy(backend, _Source(src_key), *arguments, **named)  # type: ignore[arg-type]

    models.S3Backend.copy_object = copy_object  # type: ignore[method-assign,assignment]


class _Source:
    """The source of a copy, whose value goes from file to file."""

    def __init__(self, key: models.FakeKey) -> None:
        self._key = key

    def __getattr__(self, name: str) -> Any:
        return getattr(self._key, name)

    @property
    def value(self) -> _Joined:
        copied = tempfile.SpooledTemporaryFile[bytes](LARGE_BYTES)
        self._key._value_buffer.seek(0)
        shutil.copyfileobj(self._key._value_buffer, copied, BLOCK)
        return _Joined(copied, self._key.contentsize)


def _complete(
    upload: models.FakeMultipart, body: Iterator[tuple[int, str]]
) -> tuple[_Joined, str, None]:
    """Complete an upload by moto's own rules, except for the value.

    There is no checksum of the whole object.
    """
    parts: list[models.FakeKey] = []
    digests = b""
    for number, etag in body:
        part = upload.parts.get(number)
        if part is None or part.etag.strip('"') != etag.replace('"', ""):
            raise InvalidPart()
        if parts and parts[-1].contentsize < SMALLEST_PART_BYTES:
            raise EntityTooSmall()
        digests += bytes.fromhex(part.etag.strip('"'))
        parts.append(part)
    if not parts:
        raise MalformedXML
    whole = tempfile.SpooledTemporaryFile[bytes](LARGE_BYTES)
    for part in parts:
        part._value_buffer.seek(0)
        shutil.copyfileobj(part._value_buffer, whole, BLOCK)
    return (
        _Joined(whole, sum(part.contentsize for part in parts)),
        f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}",
        None,
    )


class ObjectFile:
    """A large object's bytes, which stay readable if the object is deleted meanwhile."""

    def __init__(self, key: models.FakeKey) -> None:
        key._value_buffer.flush()
        self._file = os.dup(key._value_buffer.fileno())

    def read(self, first: int, length: int) -> Iterator[bytes]:
        """Yield ``length`` bytes from ``first`` on, and close."""
        try:
            while length:
                block = os.pread(self._file, min(BLOCK, length), first)
                if not block:
                    return
                yield block
                first += len(block)
                length -= len(block)
        finally:
            os.close(self._file)


def asked_for(environ: dict[str, Any]) -> models.FakeKey | None:
    """Return the large object that a request reads, or None for any other request."""
    if environ["REQUEST_METHOD"] != "GET" or "partNumber" in environ.get("QUERY_STRING", ""):
        return None
    bucket_name, _, key_name = (
        unquote(environ["RAW_URI"].partition("?")[0]).lstrip("/").partition("/")
    )
    bucket = models.s3_backends[ACCOUNT]["aws"].buckets.get(bucket_name)
    key = bucket.keys.get(key_name) if bucket is not None and key_name else None
    large = isinstance(key, models.FakeKey) and key.contentsize > LARGE_BYTES
    return key if large else None


def give(
    key: models.FakeKey, application: Any, environ: dict[str, Any], start_response: Start
) -> Iterable[bytes]:
    """Answer with moto's headers for a HEAD, and the bytes from the file."""
    said: list[Any] = []
    for _ in application(
        {**environ, "REQUEST_METHOD": "HEAD"}, lambda *answer: said.extend(answer[:2])
    ):
        pass
    status, headers = said
    names = {name.lower(): value for name, value in headers}
    first, length = 0, key.contentsize
    if status.startswith("206"):
        first = int(names["content-range"].split()[1].partition("-")[0])
        length = int(names["content-length"])
    elif not status.startswith("200"):
        # Repeat it as GET, because the answer to HEAD does not give the reason.
        refused: Iterable[bytes] = application(environ, start_response)
        return refused
    file = ObjectFile(key)
    start_response(
        status,
        [
            *((name, value) for name, value in headers if name.lower() != "content-length"),
            ("Content-Length", str(length)),
        ],
    )
    return Stream(file.read(first, length))
