"""What a browser may ask for when it uploads by S3, and in how many parts. Pure."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, Self

from chalicelib.bodies.errors import BadUpload
from chalicelib.bodies.limits import LARGEST_OBJECT, LARGEST_REQUEST, MOST_LINKS, MOST_PARTS, PART

UPLOADS = "/__sheen__/uploads"
"""Below an app's path."""

_TARGET = re.compile(r"/?session/[0-9a-f]{8,64}/upload/[A-Za-z0-9_-]{1,128}(\?[!-~]{0,512})?\Z")
_CONTENT_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}(\s*;[ -~]{0,200})?\Z")
_MIB = 1024 * 1024


class UploadState(StrEnum):
    """How far an upload is. Each is followed by the next, or by ABORTED."""

    OPEN = "open"
    """The browser sends parts."""
    HANDING = "handing"
    """The agent gives the object to R."""
    DONE = "done"
    """R has answered."""
    FAILED = "failed"
    """It could not be given to R."""
    ABORTED = "aborted"


class Wish(NamedTuple):
    """A file that a page wants to upload."""

    ticket: str
    target: str
    """R's URL for the file, below the app's: what ``uploadInit`` answered (FACTS S5)."""
    size: int
    content_type: str

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read ``{"ticket": …, "target": …, "size": …, "type": …}``; raise :class:`BadUpload`."""
        said, ticket = _document(body), ticket_of(body)
        target, size, kind = said.get("target"), said.get("size"), said.get("type", "application/octet-stream")
        if not isinstance(target, str) or not _TARGET.match(target):
            raise BadUpload(
                f"upload to {str(target)[:80]!r}: only a URL session/<token>/upload/<job> takes files; ask R for one by uploadInit"
            )
        if not isinstance(size, int) or isinstance(size, bool) or not 0 < size <= LARGEST_OBJECT:
            raise BadUpload(f"upload of {str(size)[:40]} bytes: a file has 1 to {LARGEST_OBJECT:,} bytes, the most that S3 takes")
        if not isinstance(kind, str) or not _CONTENT_TYPE.match(kind):
            raise BadUpload(f"upload of type {str(kind)[:80]!r}: a type is like text/csv")
        return cls(ticket, "/" + target.removeprefix("/"), size, kind)


def ticket_of(body: bytes) -> str:
    """Return the ticket that each request about an upload has; raise :class:`BadUpload`."""
    ticket = _document(body).get("ticket")
    if not isinstance(ticket, str):
        raise BadUpload("the request has no ticket; load the page again")
    return ticket


@dataclass(frozen=True, slots=True)
class Parts:
    """How a file is cut."""

    size: int
    """Of the file."""
    part: int
    """Of each part but the last."""

    @classmethod
    def of(cls, size: int) -> Self:
        """Cut a file of ``size`` bytes: into the usual parts, or larger ones when there were too many.

        >>> Parts.of(200_000_000).count, Parts.of(10 * 1024**4).count <= 10_000
        (24, True)
        """
        least = -(-size // MOST_PARTS)
        return cls(size, max(PART, -(-least // _MIB) * _MIB))

    @property
    def count(self) -> int:
        return -(-self.size // self.part)

    def size_of(self, number: int) -> int:
        """Return the size of a part, counted from 1."""
        return self.part if number < self.count else self.size - self.part * (self.count - 1)

    def wanted(self, body: bytes) -> list[int]:
        """Read ``{"parts": [1, 2, …]}``, the parts for which the browser wants links; raise :class:`BadUpload`."""
        numbers = _document(body).get("parts")
        if not isinstance(numbers, list) or not 0 < len(numbers) <= MOST_LINKS:
            raise BadUpload(f"links to parts: name 1 to {MOST_LINKS} parts")
        for number in numbers:
            if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= self.count:
                raise BadUpload(f"part {str(number)[:40]}: the file has parts 1 to {self.count}")
        return numbers

    def check(self, there: Iterable[tuple[int, int]]) -> None:
        """Raise :class:`BadUpload` unless the parts that S3 has (number, size) are the whole file."""
        sizes = dict(there)
        for number in range(1, self.count + 1):
            if number not in sizes:
                raise BadUpload(f"part {number} of {self.count} has not arrived; send it again")
            if sizes[number] != self.size_of(number):
                raise BadUpload(f"part {number} has {sizes[number]:,} bytes instead of {self.size_of(number):,}; send it again")
        if len(sizes) > self.count:
            raise BadUpload(f"there are {len(sizes)} parts instead of {self.count}; start the upload again")


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
