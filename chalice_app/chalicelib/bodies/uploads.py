"""Check what a browser asks for when it uploads by S3, and cut the file into parts. Pure."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, Self

from chalicelib.apps.locations import climbs
from chalicelib.bodies.errors import BadUpload, BodyTooLarge
from chalicelib.configuration.limits import (
    LARGEST_BODY,
    LARGEST_OBJECT,
    LARGEST_REQUEST,
    MOST_LINKS,
    MOST_PARTS,
    PART,
)

UPLOADS = "/__sheen__/uploads"
"""The URL of uploads, below an app's path."""

_TARGET = re.compile(r"/?session/[0-9a-f]{8,64}/upload/[A-Za-z0-9_-]{1,128}(\?[!-~]{0,512})?\Z")
_OF_APP = re.compile(r"/(?!/)[!-\"$-\[\]-~]{0,2000}\Z")
"""Any URL below the app's: it has no ``//`` at its start, no ``#`` and no backslash."""
_METHODS = ("POST", "PUT", "PATCH")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
_VALUE = re.compile(r"[\t\x20-\x7e]{0,2000}\Z")
_NOT_THE_PAGES = ("sheen-", "shiny-", "x-forwarded-", "x-amz", "sec-", "proxy-")
"""Prefixes of headers that a script may not set; ``_OF_BROWSER`` has whole names.

These headers stay as the browser's own request has them.
"""
_OF_BROWSER = frozenset(
    {
        "host",
        "cookie",
        "origin",
        "referer",
        "user-agent",
        "connection",
        "content-length",
        "transfer-encoding",
        "expect",
    }
)
_CONTENT_TYPE = re.compile(
    r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}(\s*;[ -~]{0,200})?\Z"
)
_MIB = 1024 * 1024


class UploadState(StrEnum):
    """How far an upload is: OPEN → HANDING → DONE.

    An upload that is OPEN or HANDING may also become FAILED or ABORTED.
    """

    OPEN = "open"
    """The browser sends parts."""
    HANDING = "handing"
    """The agent gives the object to R."""
    DONE = "done"
    """R has answered."""
    FAILED = "failed"
    """The object could not be given to R."""
    ABORTED = "aborted"


class Wish(NamedTuple):
    """A file that a page wants to upload, or a body that one of its scripts wants to send."""

    ticket: str
    target: str
    """A URL below the app's.

    For a file it is R's, which ``uploadInit`` returned (FACTS S5). For a script's request it is the
    script's.
    """
    size: int
    content_type: str
    method: str = ""
    """The method of a script's request; empty for a file, which is posted to R's job for it."""
    headers: tuple[tuple[str, str], ...] = ()
    """The further headers of a script's request."""

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Parse ``{"ticket": …, "target": …, "size": …, "type": …}``; raise :class:`BadUpload`.

        A script's request has ``"method"`` and ``"headers"`` too. Raise
        :class:`BodyTooLarge` if its body is too large.
        """
        said, ticket = _document(body), ticket_of(body)
        target, size, kind = (
            said.get("target"),
            said.get("size"),
            said.get("type", "application/octet-stream"),
        )
        method = said.get("method", "")
        if method:
            _check_script(method, target, size)
        elif not isinstance(target, str) or not _TARGET.match(target):
            raise BadUpload(
                f"upload to {str(target)[:80]!r}: only a URL session/<token>/upload/<job> "
                "takes files; ask R for one by uploadInit"
            )
        if not isinstance(size, int) or isinstance(size, bool) or not 0 < size <= LARGEST_OBJECT:
            raise BadUpload(
                f"upload of {str(size)[:40]} bytes: a file has 1 to {LARGEST_OBJECT:,} "
                "bytes, the most that S3 takes"
            )
        if not isinstance(kind, str) or not _CONTENT_TYPE.match(kind):
            raise BadUpload(f"upload of type {str(kind)[:80]!r}: a type is like text/csv")
        return cls(
            ticket,
            "/" + str(target).removeprefix("/"),
            size,
            kind,
            method,
            _of_script(said.get("headers", [])) if method else (),
        )


def _check_script(method: object, target: object, size: object) -> None:
    if method not in _METHODS:
        raise BadUpload(
            f"a body by {str(method)[:20]!r}: the methods {', '.join(_METHODS)} have one"
        )
    if (
        not isinstance(target, str)
        or not _OF_APP.match(target)
        or target.startswith("/__s")
        or climbs(target.partition("?")[0])
    ):
        raise BadUpload(f"a body for {str(target)[:80]!r}: only the app's own URLs take one")
    if isinstance(size, int) and size > LARGEST_BODY:
        raise BodyTooLarge(
            f"the body has {size:,} bytes; {LARGEST_BODY:,} are allowed. A larger file "
            "goes by fileInput()"
        )


def _of_script(said: object) -> tuple[tuple[str, str], ...]:
    """Return the headers that a script may set; leave out the others."""
    kept = []
    for pair in said[:64] if isinstance(said, list) else ():
        match pair:
            case [str(name), str(value)] if _HEADER.match(name) and _VALUE.match(value):
                if name.lower() not in _OF_BROWSER and not name.lower().startswith(_NOT_THE_PAGES):
                    kept.append((name, value))
    return tuple(kept)


def ticket_of(body: bytes) -> str:
    """Return the ticket of a request about an upload; raise :class:`BadUpload` if it has none."""
    ticket = _document(body).get("ticket")
    if not isinstance(ticket, str):
        raise BadUpload("the request has no ticket; load the page again")
    return ticket


@dataclass(frozen=True, slots=True)
class Parts:
    """How a file is cut into parts."""

    size: int
    """The size of the file in bytes."""
    part: int
    """The size of each part but the last, in bytes."""

    @classmethod
    def of(cls, size: int) -> Self:
        """Cut a file of ``size`` bytes into usual parts, or larger ones to limit their number.

        >>> Parts.of(200_000_000).count, Parts.of(10 * 1024**4).count <= 10_000
        (24, True)
        """
        least = -(-size // MOST_PARTS)
        return cls(size, max(PART, -(-least // _MIB) * _MIB))

    @property
    def count(self) -> int:
        return -(-self.size // self.part)

    def size_of(self, number: int) -> int:
        """Return the size of a part; ``number`` counts from 1."""
        return self.part if number < self.count else self.size - self.part * (self.count - 1)

    def wanted(self, body: bytes) -> list[int]:
        """Parse ``{"parts": [1, 2, …]}``, the parts for which the browser wants links.

        Raise :class:`BadUpload` if it names too many parts, or parts that the file does not have.
        """
        numbers = _document(body).get("parts")
        if not isinstance(numbers, list) or not 0 < len(numbers) <= MOST_LINKS:
            raise BadUpload(f"links to parts: name 1 to {MOST_LINKS} parts")
        for number in numbers:
            if (
                not isinstance(number, int)
                or isinstance(number, bool)
                or not 1 <= number <= self.count
            ):
                raise BadUpload(f"part {str(number)[:40]}: the file has parts 1 to {self.count}")
        return numbers

    def check(self, there: Iterable[tuple[int, int]]) -> None:
        """Raise :class:`BadUpload` unless S3's parts (number, size) make up the whole file."""
        sizes = dict(there)
        for number in range(1, self.count + 1):
            if number not in sizes:
                raise BadUpload(f"part {number} of {self.count} has not arrived; send it again")
            if sizes[number] != self.size_of(number):
                raise BadUpload(
                    f"part {number} has {sizes[number]:,} bytes instead of "
                    f"{self.size_of(number):,}; send it again"
                )
        if len(sizes) > self.count:
            raise BadUpload(
                f"there are {len(sizes)} parts instead of {self.count}; start the upload again"
            )


def _document(body: bytes) -> dict[str, Any]:
    if len(body) > LARGEST_REQUEST:
        raise BadUpload(f"the request has {len(body):,} bytes; {LARGEST_REQUEST:,} are allowed")
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise BadUpload("the request is not a JSON object")
    return said
