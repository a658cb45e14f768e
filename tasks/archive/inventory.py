"""The contents of an archive, checked as a whole.

No path may occur twice, no link may lead nowhere, and nothing may be too large. This module is
pure.
"""

import hashlib
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from chalicelib.publishing.errors import BadBundle
from chalicelib.publishing.limits import BundleLimits, too_many
from tasks.archive.entries import SHOWN, ArchiveEntry


class Inventory(NamedTuple):
    """The contents that may be unpacked."""

    paths: list[str]
    """Paths of files and links, in the archive's order."""
    size: int
    """Bytes of all files, as claimed by the archive."""


def take(
    entries: Iterable[ArchiveEntry], packed: int, bundle: str, limits: BundleLimits
) -> Inventory:
    """Check all entries; raise :class:`BadBundle` that names the first that breaks a rule.

    ``packed`` is the size of the archive in bytes.
    """
    seen = _Names(bundle)
    links: list[ArchiveEntry] = []
    paths: list[str] = []
    size = 0
    for entry in entries:
        seen.add(entry)
        paths.append(entry.path)
        if seen.count > limits.entries:
            raise too_many(bundle, limits)
        if len(paths) > limits.files:
            raise BadBundle(
                f"bundle {bundle}: it has more than {limits.files:,} files; leave data "
                "out, or pack it"
            )
        size += entry.size
        if size > limits.unpacked:
            raise BadBundle(
                f"bundle {bundle}: its files have more than {limits.unpacked:,} bytes together (at entry {entry.number}); "  # noqa: E501
                "leave data out, or put it on EFS by a sync"
            )
        if entry.link_to is not None:
            links.append(entry)
    if size > limits.ratio_from and size > packed * limits.ratio:
        raise BadBundle(
            f"bundle {bundle}: its {packed:,} bytes unpack to {size:,}, more than {limits.ratio} times as many; "  # noqa: E501
            "that is how bombs are made: leave empty data out"
        )
    paths_of_links = {link.path for link in links}
    for link in links:
        _check_target(link, seen, paths_of_links, bundle)
    return Inventory(paths, size)


class _Names:
    """All names so far, also as seen by a file system that ignores case and Unicode forms."""

    def __init__(self, bundle: str) -> None:
        self._bundle = bundle
        self.files: set[str] = set()
        self.folders: set[str] = set()
        self._folded: dict[bytes, str] = {}

    @property
    def count(self) -> int:
        """The number of files and folders."""
        return len(self.files) + len(self.folders)

    def add(self, entry: ArchiveEntry) -> None:
        path = entry.path
        above = {path[:at] for at in range(len(path)) if path[at] == "/"}
        if path in self.files or path in self.folders or above & self.files:
            raise BadBundle(
                f'bundle {self._bundle}: path "{path}" comes twice, or as a file and a '
                f"folder (entry {entry.number})"
            )
        self.files.add(path)
        new = sorted(above - self.folders)
        for name in (*new, path):
            other = self._folded.setdefault(_folded(name), name)
            if other != name:
                raise BadBundle(
                    f'bundle {self._bundle}: paths "{other}" and "{name}" differ only in '
                    "case, which many disks cannot tell apart; "
                    f"rename one (entry {entry.number})"
                )
        self.folders.update(new)


def _folded(name: str) -> bytes:
    """Return equal values for names that such a file system treats as equal.

    The value is a digest, because names may be many and long.
    """
    return hashlib.blake2b(
        unicodedata.normalize("NFC", name).casefold().encode(), digest_size=16
    ).digest()


def _check_target(link: ArchiveEntry, names: _Names, links: set[str], bundle: str) -> None:
    target = link.link_to
    assert target is not None

    def bad(why: str) -> BadBundle:
        return BadBundle(
            f'bundle {bundle}: link "{link.path}" leads to {target[:SHOWN]!r}, {why} '
            f"(entry {link.number})"
        )

    if target == "." or link.path.startswith(f"{target}/"):
        raise bad("a folder that it is in itself")
    if target in links or any(
        target[:at] in links for at in range(len(target)) if target[at] == "/"
    ):
        raise bad("which is a link itself; let it lead to the file")
    if target not in names.files and target not in names.folders:
        raise bad("which is not in the bundle")
