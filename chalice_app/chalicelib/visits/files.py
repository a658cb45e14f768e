"""How a file is sent: conditions, ranges, headers. Pure.

The answers are those of Shiny Server, whose clients know nothing of S3.
"""

import re
from email.utils import formatdate, parsedate_to_datetime
from typing import NamedTuple

from chalicelib.apps.folder_contents import File
from chalicelib.visits.media_types import media_type
from chalicelib.visits.request import VisitorRequest

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*\Z", re.IGNORECASE)
_WEAK = "W/"
_LONGEST = 4000
"""Characters of a condition that are examined."""


class Sending(NamedTuple):
    """An answer without its body, and the bytes of the file that are its body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    first: int = 0
    length: int = 0


def sending(request: VisitorRequest, file: File) -> Sending:
    """Return how a request for a file is answered."""
    common = (
        ("accept-ranges", "bytes"),
        ("cache-control", "public, max-age=0"),
        ("last-modified", formatdate(file.modified, usegmt=True)),
        ("etag", file.etag),
    )
    typed = (("content-type", media_type(file.name)), *common)
    if _is_stale(request, file):
        return Sending(412, common)
    if request.method in ("GET", "HEAD") and _is_fresh(request, file):
        return Sending(304, common)
    asked = _RANGE.match(request.header("range")[:_LONGEST])
    if asked is None or (not asked[1] and not asked[2]) or not _range_holds(request, file):
        return Sending(200, typed, 0, file.size)
    first, last = _bounds(asked[1], asked[2], file.size)
    if first > last:
        return Sending(416, (*common, ("content-range", f"bytes */{file.size}")))
    said = ("content-range", f"bytes {first}-{last}/{file.size}")
    return Sending(206, (*typed, said), first, last - first + 1)


def _bounds(first: str, last: str, size: int) -> tuple[int, int]:
    """Return the first and the last byte of a range; they are crossed if there is none."""
    if not first:
        return (size - int(last), size - 1) if int(last) <= size else (0, size - 1)
    return int(first), min(int(last), size - 1) if last else size - 1


def _is_stale(request: VisitorRequest, file: File) -> bool:
    """Return whether the request is for another state of the file than this."""
    if wanted := request.header("if-match"):
        return not _matches(wanted, file)
    since = _seconds(request.header("if-unmodified-since"))
    return since is not None and int(file.modified) > since


def _is_fresh(request: VisitorRequest, file: File) -> bool:
    """Return whether the visitor has the file already."""
    if "no-cache" in request.header("cache-control").lower():
        return False
    if known := request.header("if-none-match"):
        return _matches(known, file)
    since = _seconds(request.header("if-modified-since"))
    return since is not None and int(file.modified) <= since


def _range_holds(request: VisitorRequest, file: File) -> bool:
    """Return whether the range is one of the file as it is now (``If-Range``)."""
    wanted = request.header("if-range")
    if not wanted:
        return True
    if '"' in wanted:
        return _matches(wanted, file)
    since = _seconds(wanted)
    return since is not None and int(file.modified) <= since


def _matches(listed: str, file: File) -> bool:
    known = [each.strip().removeprefix(_WEAK) for each in listed[:_LONGEST].split(",")]
    return "*" in known or file.etag.removeprefix(_WEAK) in known


def _seconds(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date[:100]).timestamp() if date else None
    except (ValueError, OverflowError):
        return None
