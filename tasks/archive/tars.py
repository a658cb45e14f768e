"""The entries of a tar.gz."""

import gzip
import re
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from chalicelib.publishing.errors import BadBundle
from chalicelib.publishing.limits import BundleLimits, too_many
from tasks.archive.entries import ArchiveEntry, check_link, check_path, check_time, is_junk

_LARGEST_HEADER = 64 * 1024
_HEADERS = 2048
"""Bytes of headers per tar entry, including long names, that do not count as content."""
_HEADERS_WITH_DATA = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
_PAX_HEADERS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
_DIGITS = 128
_MANY_DIGITS = re.compile(rb"[0-9]{%d}" % (_DIGITS + 1))
_BLOCK = 1 << 18


def entries_of(archive: Path, bundle: str, limits: BundleLimits) -> Iterator[ArchiveEntry]:
    """Read a tar.gz from beginning to end.

    The content of an entry must be read before the next entry is requested. Raise
    :class:`BadBundle` at the first entry that is not allowed.
    """
    # This avoids tarfile's own "r:gz", whose index of skipped data can be made to unpack without
    # end.
    with (
        _Counted(archive, bundle, limits) as unzipped,
        tarfile.open(
            fileobj=unzipped, mode="r|", tarinfo=_bounded_headers(bundle), bufsize=_BLOCK
        ) as opened,
    ):
        for number, member in enumerate(iter(opened.next, None), 1):
            opened.members.clear()  # type: ignore[attr-defined]  # tarfile keeps them all
            if number > limits.entries:
                raise too_many(bundle, limits)
            name = member.name
            if is_junk(name):
                continue
            is_link = member.islnk() or member.issym()
            if member.isdir() and not name.strip("./"):
                continue
            path = check_path(name, number, bundle)
            if not (member.isreg() or member.isdir() or is_link):
                raise BadBundle(
                    f'bundle {bundle}: path "{path[:200]}" is a device; only files and '
                    f"folders are allowed (entry {number})"
                )
            if member.isdir():
                continue
            link_to = (
                check_link(path, member.linkname, number, bundle, from_top=member.islnk())
                if is_link
                else None
            )
            yield ArchiveEntry(
                path,
                number,
                0 if link_to else member.size,
                lambda member=member: _content(opened, member),  # type: ignore[misc]
                link_to,
                executable=bool(member.mode & stat.S_IXUSR),
                changed_at=check_time(member.mtime),
            )


def _content(opened: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = opened.extractfile(member)
    assert file is not None
    return file


def _bounded_headers(bundle: str) -> type[tarfile.TarInfo]:
    """Return a class of tar headers that refuses huge ones.

    tarfile reads long names and attributes into memory, and keeps those that apply to all entries.
    """
    for_all = 0

    class Header(tarfile.TarInfo):
        def _proc_member(self, opened: tarfile.TarFile) -> tarfile.TarInfo:
            nonlocal for_all
            for_all += self.size if self.type == tarfile.XGLTYPE else 0
            if self.type in _HEADERS_WITH_DATA and max(self.size, for_all) > _LARGEST_HEADER:
                raise BadBundle(
                    f"bundle {bundle}: it has a header of {max(self.size, for_all):,} "
                    "bytes; pack it anew with plain tar"
                )
            if self.type in _PAX_HEADERS:
                _check_pax(opened, self.size, bundle)
            header: tarfile.TarInfo = super()._proc_member(opened)  # type: ignore[misc]
            return header

    return Header


def _check_pax(opened: tarfile.TarFile, size: int, bundle: str) -> None:
    """Check a PAX header before tarfile parses it, whose parsing can take quadratic time.

    That happens with a long run of digits (CVE-2024-6232), and with a sparse file's map that has no
    end.
    """
    stream: Any = opened.fileobj
    data = stream.read(size)
    stream.buf = data + stream.buf  # and put it back
    stream.pos -= len(data)
    if b"GNU.sparse" in data:
        raise BadBundle(
            f"bundle {bundle}: it has a file that is packed as a sparse one; pack it anew "
            "without --sparse"
        )
    if _MANY_DIGITS.search(data):
        raise BadBundle(
            f"bundle {bundle}: it has a header with a number of more than {_DIGITS} "
            "digits; pack it anew with plain tar"
        )


class _Counted(gzip.GzipFile):
    """The bytes of a gzip file, limited in number.

    Files, headers and padding all count.
    """

    def __init__(self, archive: Path, bundle: str, limits: BundleLimits) -> None:
        super().__init__(archive, "rb")
        self._bundle = bundle
        self._limits = limits
        self._room = limits.unpacked + (limits.entries + 20) * _HEADERS + _BLOCK

    def read(self, size: int | None = -1) -> bytes:
        """Read more bytes; raise :class:`BadBundle` at the limit."""
        data = super().read(size)
        self._room -= len(data)
        if self._room < 0:
            raise BadBundle(
                f"bundle {self._bundle}: its files have more than {self._limits.unpacked:,} bytes together; "  # noqa: E501
                "leave data out, or put it on EFS by a sync"
            )
        return data
