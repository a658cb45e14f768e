"""S3 as a mirror reads it.

Listings and objects come over kept-alive connections, one for each thread. boto3 spends more time
on a small object than S3 does. This module signs with a cached key and reads with ``http.client``.
"""

import contextlib
import http.client
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import NamedTuple, TypeVar
from urllib.parse import quote, unquote_plus, urlsplit
from xml.etree import ElementTree

from chalicelib.aws.signing import CredentialSource, Signer
from chalicelib.aws.sigv4 import Credentials

T = TypeVar("T")
PATIENCE = 60.0
"""Seconds without data from S3 before a read fails."""
PAUSES = (0.1, 0.5, 2.0, 4.0, 8.0, 16.0)
"""Longest pauses in seconds before further attempts after a transient failure.

S3 may ask for fewer requests for a while.
"""
BLOCK = 1 << 20
_NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class ReadFailed(Exception):
    """S3 did not deliver what was requested; the message has S3's reason."""


class ReadRefused(ReadFailed):
    """S3 refuses, and will refuse the next time."""


class ObjectGone(ReadFailed):
    """The object does not exist, or no longer exists."""


class Changed(ReadFailed):
    """The object is no longer the requested one."""


class _TryAgain(Exception):
    """A failure that may pass."""


class ListedObject(NamedTuple):
    """An object of a listing, or as it was when it was read."""

    key: str
    size: int
    modified: int
    """Seconds since 1970."""
    etag: str


@dataclass(frozen=True, slots=True)
class ObjectStream:
    """An object that is being read."""

    listed: ListedObject
    """The object as it is now; ``size`` is the size of the whole object."""
    plain_etag: bool
    """Whether the ETag is the content's MD5."""
    blocks: Iterator[memoryview]
    """Blocks of the content; each is invalid once the next one is taken."""


class Bucket:
    """One bucket; safe to use from many threads."""

    def __init__(
        self, name: str, credentials: CredentialSource, region: str, endpoint: str = ""
    ) -> None:
        """Create a bucket; ``endpoint`` is S3's URL, or empty for AWS's own in the region."""
        self._name = name
        self._credentials = credentials
        self._parts = urlsplit(endpoint or f"https://s3.{region}.amazonaws.com")
        self._signer = Signer(region, self._parts.netloc, "s3")
        self._own = threading.local()

    @classmethod
    def from_environment(cls, name: str, environment: Mapping[str, str] = os.environ) -> "Bucket":
        """Return a bucket with the credentials, region and endpoint of the environment.

        They are the variables that every SDK reads.
        """
        import botocore.session

        session = botocore.session.get_session()
        region = (
            environment.get("AWS_REGION") or session.get_config_variable("region") or "us-east-1"
        )
        endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL", "")
        return cls(name, session.get_credentials(), region, endpoint)

    def list(self, prefix: str) -> Iterator[ListedObject]:
        """Yield all objects below a prefix, in the order of their keys."""
        token = ""
        while True:
            parameters = {"encoding-type": "url", "list-type": "2", "prefix": prefix}
            if token:
                parameters["continuation-token"] = token
            query = "&".join(
                f"{name}={quote(value, safe='-_.~')}" for name, value in sorted(parameters.items())
            )
            document = ElementTree.fromstring(self._again(partial(self._page, query)))  # noqa: S314  # S3's own
            for entry in document.iter(f"{_NAMESPACE}Contents"):
                found = {child.tag.removeprefix(_NAMESPACE): child.text or "" for child in entry}
                modified = int(
                    datetime.fromisoformat(found["LastModified"].replace("Z", "+00:00")).timestamp()
                )
                yield ListedObject(
                    unquote_plus(found["Key"]),
                    int(found["Size"]),
                    modified,
                    found["ETag"].strip('"'),
                )
            token = document.findtext(f"{_NAMESPACE}NextContinuationToken") or ""
            if not token:
                return

    def read(
        self,
        key: str,
        use: Callable[[ObjectStream], T],
        *,
        span: tuple[int, int] | None = None,
        etag: str = "",
    ) -> T:
        """Read an object, or the bytes of a ``span`` (first, last), with ``use``.

        ``use`` is called again if the connection breaks. Raise :class:`Changed` if an ``etag`` is
        given and the object has another one. Raise :class:`ObjectGone` if there is no object, and
        :class:`ReadFailed` otherwise.
        """
        headers = {}
        if span is not None:
            headers["range"] = f"bytes={span[0]}-{span[1]}"
        if etag:
            headers["if-match"] = f'"{etag}"'
        return self._again(lambda: self._read(key, use, headers))

    def _again(self, act: Callable[[], T]) -> T:
        for pause in (*PAUSES, None):
            try:
                return act()
            except _TryAgain as error:
                self._drop()
                if pause is None:
                    raise ReadFailed(f"S3: {error}") from error
                time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311  # not all threads at the same moment
        raise AssertionError

    def _page(self, query: str) -> bytes:
        response = self._ask(f"/{quote(self._name)}", {}, query)
        with _network():
            return response.read()

    def _read(self, key: str, use: Callable[[ObjectStream], T], headers: Mapping[str, str]) -> T:
        response = self._ask(f"/{quote(self._name)}/{quote(key, safe='/-_.~')}", headers)
        length = int(response.headers["Content-Length"] or 0)
        size = (
            int(response.headers["Content-Range"].rpartition("/")[2])
            if response.status == 206
            else length
        )
        etag = response.headers["ETag"].strip('"')
        modified = int(parsedate_to_datetime(response.headers["Last-Modified"]).timestamp())
        plain = len(etag) == 32 and not (
            response.headers.get("x-amz-server-side-encryption") or ""
        ).startswith("aws:kms")
        try:
            return use(
                ObjectStream(
                    ListedObject(key, size, modified, etag), plain, _blocks(response, length)
                )
            )
        finally:
            if not response.isclosed():
                self._drop()

    def _ask(
        self, path: str, headers: Mapping[str, str], query: str = ""
    ) -> http.client.HTTPResponse:
        frozen = self._credentials.get_frozen_credentials()
        credentials = Credentials(frozen.access_key, frozen.secret_key, frozen.token)
        signed = self._signer.headers("GET", path, b"", credentials, time.time(), query)
        connection = self._connection()
        with _network():
            connection.request(
                "GET", f"{path}?{query}" if query else path, headers={**signed, **headers}
            )
            response = connection.getresponse()
            if response.status in (200, 206):
                return response
            said = response.read(BLOCK).decode(errors="replace")
        if response.status == 404 and query == "":
            raise ObjectGone("there is no such object any more")
        if response.status in (412, 416):
            raise Changed("the object has changed meanwhile")
        if response.status in (429, 500, 502, 503, 504):
            raise _TryAgain(f"{response.status} {said[:300]}")
        why = f"S3 says {response.status}: {_reason(said)}"
        # S3 answers 400 for credentials that have just expired, too.
        raise ReadRefused(why) if response.status in (403, 404) else ReadFailed(why)

    def _connection(self) -> http.client.HTTPConnection:
        kept: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        if kept is None:
            kind = (
                http.client.HTTPSConnection
                if self._parts.scheme == "https"
                else http.client.HTTPConnection
            )
            kept = self._own.connection = kind(self._parts.netloc, timeout=PATIENCE)
        return kept

    def _drop(self) -> None:
        kept = getattr(self._own, "connection", None)
        if kept is not None:
            kept.close()


@contextlib.contextmanager
def _network() -> Iterator[None]:
    """Turn failures of the connection, its name or its certificate into ones that may pass.

    Failures of files pass through unchanged.
    """
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        raise _TryAgain(str(error) or type(error).__name__) from error


def _blocks(response: http.client.HTTPResponse, length: int) -> Iterator[memoryview]:
    """Yield a body block by block, all in the same memory."""
    memory = memoryview(bytearray(min(BLOCK, length)))
    while length > 0:
        with _network():
            count = response.readinto(memory[: min(BLOCK, length)])
        if not count:
            raise _TryAgain("the connection ended before the object did")
        length -= count
        yield memory[:count]


def _reason(document: str) -> str:
    try:
        root = ElementTree.fromstring(document)  # noqa: S314  # S3's own
    except ElementTree.ParseError:
        return document[:300] or "nothing more"
    return f"{root.findtext('Code')}: {root.findtext('Message')}"
