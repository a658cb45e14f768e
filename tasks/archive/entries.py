"""What the readers of both kinds of archive say of what is in them, and which paths and links they let through."""

import posixpath
import re
from collections.abc import Callable
from typing import IO, NamedTuple

from chalicelib.publishing.errors import BadBundle

_LONGEST_PATH = 1000
_LONGEST_NAME = 255
_DEEPEST = 64
SHOWN = 200
"""Characters of a path in a message."""
_DRIVE = re.compile(r"[A-Za-z]:")
_JUNK = re.compile(r"(^|/)(__MACOSX(/|$)|\._[^/]*$|\.DS_Store$)")


class Entry(NamedTuple):
    """One file, or one link to a file or folder of the same archive, that may be written."""

    path: str
    """Relative, with ``/``; checked."""
    number: int
    """Which entry it is, from 1."""
    size: int
    """Bytes, as the archive says."""
    open: Callable[[], IO[bytes]]
    link_to: str | None = None
    """The path that a link leads to, from the archive's top; what is in the entry is then of no interest."""
    executable: bool = False
    """Whether its owner may execute it; nothing else of its mode counts."""
    changed_at: float | None = None
    """When the file was changed last, in seconds since 1970; None: the archive does not say, or says nonsense."""


_LATEST = 253_402_300_800.0
"""The year 10,000."""


def check_time(seconds: float) -> float | None:
    """Return a file's time if it can be one. Pure.

    >>> check_time(float("nan")) is None
    True
    """
    return seconds if 0 < seconds < _LATEST else None


def is_junk(name: str) -> bool:
    """Whether a Mac has added this, and nobody wants it."""
    return _JUNK.search(name) is not None


def check_path(name: str, number: int, bundle: str) -> str:
    """Return an entry's path as it may be written, or raise :class:`BadBundle` that says why not. Pure."""

    def bad(why: str) -> BadBundle:
        return BadBundle(f'bundle {bundle}: path "{name[:SHOWN]}" {why} (entry {number})')

    if "\0" in name or any(ord(character) < 32 for character in name):
        raise BadBundle(f"bundle {bundle}: path {name[:SHOWN]!r} has control characters in it (entry {number})")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise BadBundle(f"bundle {bundle}: path {name[:SHOWN]!r} is not UTF-8; rename the file, or pack it anew (entry {number})") from None
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
    if len(path.encode()) > _LONGEST_PATH or len(segments) > _DEEPEST or any(len(s.encode()) > _LONGEST_NAME for s in segments):
        raise bad("is too long or too deep")
    return path


def check_link(path: str, target: str, number: int, bundle: str, *, from_top: bool) -> str:
    """Return where a link leads, from the archive's top, or raise :class:`BadBundle`. Pure.

    ``path`` is the link's own, checked; ``from_top`` says what a relative ``target`` is relative to: the archive's top (a tar's hard
    links), or the link's own folder. Whether there is something at the target is seen later, when all entries are known.
    """
    out = BadBundle(f'bundle {bundle}: link "{path[:SHOWN]}" leads out of the bundle, to {target[:SHOWN]!r} (entry {number})')
    if target.startswith("/") or _DRIVE.match(target) or "\\" in target or "\0" in target:
        raise out
    joined = posixpath.normpath(target if from_top else posixpath.join(posixpath.dirname(path), target))
    if joined == ".." or joined.startswith("../"):
        raise out
    return joined
