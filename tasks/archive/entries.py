"""The entries that the readers of both kinds of archive yield.

This module also decides which paths and links are allowed.
"""

import posixpath
import re
from collections.abc import Callable
from typing import IO, NamedTuple

from chalicelib.publishing.errors import BadBundle

_LONGEST_PATH = 1000
_LONGEST_NAME = 255
_DEEPEST = 64
SHOWN = 200
"""Most characters of a path in a message."""
_DRIVE = re.compile(r"[A-Za-z]:")
_JUNK = re.compile(r"(^|/)(__MACOSX(/|$)|\._[^/]*$|\.DS_Store$)")


class ArchiveEntry(NamedTuple):
    """A file, or a link to a file or folder of the same archive, that may be written."""

    path: str
    """Its checked path, relative, with ``/``."""
    number: int
    """Its position in the archive, from 1."""
    size: int
    """Bytes, as claimed by the archive."""
    open: Callable[[], IO[bytes]]
    link_to: str | None = None
    """The target of a link, from the archive's top; the content of the entry is irrelevant then."""
    executable: bool = False
    """Whether its owner may execute it; nothing else of its mode counts."""
    changed_at: float | None = None
    """Time of the last change, in seconds since 1970.

    None if the archive does not say, or gives an impossible time.
    """


_LATEST = 253_402_300_800.0
"""The year 10,000."""


def check_time(seconds: float) -> float | None:
    """Return a file's time if it is a possible one, else None.

    This function is pure.

    >>> check_time(float("nan")) is None
    True
    """
    return seconds if 0 < seconds < _LATEST else None


def is_junk(name: str) -> bool:
    """Return whether the entry is one of the extra files that a Mac adds."""
    return _JUNK.search(name) is not None


def check_path(name: str, number: int, bundle: str) -> str:
    """Return an entry's path in the form to write.

    Raise :class:`BadBundle` that says why it is not allowed. This function is pure.
    """

    def bad(why: str) -> BadBundle:
        return BadBundle(f'bundle {bundle}: path "{name[:SHOWN]}" {why} (entry {number})')

    if "\0" in name or any(ord(character) < 32 for character in name):
        raise BadBundle(
            f"bundle {bundle}: path {name[:SHOWN]!r} has control characters in it (entry {number})"
        )
    try:
        name.encode()
    except UnicodeEncodeError:
        raise BadBundle(
            f"bundle {bundle}: path {name[:SHOWN]!r} is not UTF-8; rename the file, or "
            f"pack it anew (entry {number})"
        ) from None
    if name.startswith("/") or _DRIVE.match(name):
        raise bad("is absolute")
    if "\\" in name:
        raise bad("has a backslash in it; use slashes")
    segments = [segment for segment in name.split("/") if segment not in ("", ".")]
    if ".." in segments:
        raise bad("leaves the bundle")
    path = "/".join(segments)
    if not path:
        raise bad("names no file")
    if (
        len(path.encode()) > _LONGEST_PATH
        or len(segments) > _DEEPEST
        or any(len(s.encode()) > _LONGEST_NAME for s in segments)
    ):
        raise bad("is too long or too deep")
    return path


def check_link(path: str, target: str, number: int, bundle: str, *, from_top: bool) -> str:
    """Return the target of a link, from the archive's top, or raise :class:`BadBundle`.

    ``path`` is the link's own checked path. A relative ``target`` is relative to the archive's top
    if ``from_top`` is true (a tar's hard links), otherwise to the link's folder. Whether the target
    exists is checked later, when all entries are known. This function is pure.
    """
    out = BadBundle(
        f'bundle {bundle}: link "{path[:SHOWN]}" leads out of the bundle, to '
        f"{target[:SHOWN]!r} (entry {number})"
    )
    if target.startswith("/") or _DRIVE.match(target) or "\\" in target or "\0" in target:
        raise out
    joined = posixpath.normpath(
        target if from_top else posixpath.join(posixpath.dirname(path), target)
    )
    if joined == ".." or joined.startswith("../"):
        raise out
    return joined
