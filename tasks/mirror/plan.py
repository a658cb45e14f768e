"""Decide what makes a folder equal to a prefix.

This module is pure.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from chalicelib.syncs.keys import unfit
from tasks.mirror.s3 import ListedObject
from tasks.mirror.tree import ExistingFile

SECOND = 1_000_000_000


@dataclass(slots=True)
class MirrorPlan:
    """The steps, by paths below the folder."""

    copy: list[tuple[str, ListedObject]] = field(default_factory=list)
    check: list[tuple[str, ListedObject]] = field(default_factory=list)
    """Files that exist and seem current, unless a checksum shows otherwise."""
    skip: int = 0
    make: list[str] = field(default_factory=list)
    """Folders that have an object of their own."""
    delete: list[str] = field(default_factory=list)
    large: list[str] = field(default_factory=list)
    """Keys of objects that are too large to be copied here."""
    refused: list[tuple[str, str]] = field(default_factory=list)
    """Keys that cannot be files, each with the reason."""
    seen: int = 0
    bytes_seen: int = 0


def time_of(modified: int, etag: str) -> int:
    """Return the time of a copy in nanoseconds: S3's second, plus a fraction made from the ETag.

    The fraction tells a later version of the same size and second from the existing one.
    """
    digest = int.from_bytes(blake2b(etag.encode(), digest_size=8).digest(), "big")
    return modified * SECOND + 1 + digest % (SECOND - 1)


def is_current(found: ExistingFile, listed: ListedObject) -> bool:
    """Return whether a file is a copy of exactly this version.

    A copy by another program has whole seconds only.
    """
    if found.size != listed.size or found.mtime_ns // SECOND != listed.modified:
        return False
    return found.mtime_ns % SECOND == 0 or found.mtime_ns == time_of(listed.modified, listed.etag)


def plan(
    listed: Iterable[ListedObject],
    prefix: str,
    there: Mapping[str, ExistingFile],
    *,
    include: re.Pattern[str] | None = None,
    exclude: re.Pattern[str] | None = None,
    delete: bool = False,
    check: bool = False,
    largest: int | None = None,
) -> MirrorPlan:
    """Compare a listing with the existing files.

    ``include`` and ``exclude`` match paths with a slash in front; see :class:`MirrorPlan`. Objects
    larger than ``largest`` are named instead of copied. With ``check``, files that seem current are
    listed for a check, too.
    """
    result = MirrorPlan()
    wanted: set[str] = set()

    def is_meant(path: str) -> bool:
        return (include is None or bool(include.match(f"/{path}"))) and (
            exclude is None or not exclude.match(f"/{path}")
        )

    for each in listed:
        path = each.key[len(prefix) :]
        if not path or not is_meant(path):
            continue
        if (why := unfit(path)) is not None:
            result.refused.append((path, why))
            continue
        if path.endswith("/"):
            result.make.append(path)
            continue
        result.seen += 1
        result.bytes_seen += each.size
        wanted.add(path)
        found = there.get(path)
        if found is not None and is_current(found, each):
            if check:
                result.check.append((path, each))
            else:
                result.skip += 1
        elif largest is not None and each.size > largest:
            result.large.append(path)
        else:
            result.copy.append((path, each))
    if delete:
        result.delete = [path for path in there if path not in wanted and is_meant(path)]
    return result
