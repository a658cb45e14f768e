"""The entries of a zip."""

import stat
import struct
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from chalicelib.publishing import packing
from chalicelib.publishing.errors import BadBundle
from chalicelib.publishing.limits import BundleLimits, too_many
from tasks.archive.entries import ArchiveEntry, check_link, check_path, check_time, is_junk

_SIZE, _LOCATION = 5, 9
"""Indexes of the directory's size and the end record's position in zipfile's tuple."""
_END_64 = 76
"""Bytes between directory and end in a zip64."""
_DIRECTORY_ENTRY = 512
"""Average bytes of a directory entry, including a long name."""
_SIGNATURE = b"PK\x01\x02"
"""The first bytes of each directory entry."""
_UTF8 = 0x800
"""The flag of a name in UTF-8."""
_ENCRYPTED = 0x1
_FIELD = struct.Struct("<HH")
"""The header of an extra field: its kind, and the number of bytes that follow."""
_TIME = struct.Struct("<Bi")
"""A field of times: which ones it has, and the time of the last change."""
_LONGEST_TARGET = 4096


def entries_of(archive: Path, bundle: str, limits: BundleLimits) -> Iterator[ArchiveEntry]:
    """Read a zip's directory; raise :class:`BadBundle` at the first entry that is not allowed."""
    _check_directory(archive, bundle, limits)
    with zipfile.ZipFile(archive) as opened:
        for number, info in enumerate(opened.infolist(), 1):
            name = _name_of(info, number, bundle)
            if is_junk(name):
                continue
            kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == 3 else 0
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
                raise BadBundle(
                    f'bundle {bundle}: path "{name[:200]}" is a device; only files and '
                    f"folders are allowed (entry {number})"
                )
            if info.flag_bits & _ENCRYPTED:
                raise BadBundle(
                    f'bundle {bundle}: path "{name[:200]}" is encrypted; pack it without '
                    f"a password (entry {number})"
                )
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise BadBundle(
                    f'bundle {bundle}: path "{name[:200]}" is packed in an unusual way; '
                    f"use plain zip (entry {number})"
                )
            is_folder = name.endswith("/") or kind == stat.S_IFDIR
            if is_folder and not name.strip("./"):
                continue
            path = check_path(name, number, bundle)
            if is_folder:
                continue
            link_to = None
            if kind == stat.S_IFLNK:
                with opened.open(info) as file:
                    target = file.read(_LONGEST_TARGET).decode(errors="replace")
                link_to = check_link(path, target, number, bundle, from_top=False)
            yield ArchiveEntry(
                path,
                number,
                0 if link_to else info.file_size,
                lambda info=info: opened.open(info),  # type: ignore[misc]
                link_to,
                executable=info.create_system == 3
                and bool(info.external_attr >> 16 & stat.S_IXUSR),
                changed_at=_time_of(info),
            )


def _time_of(info: zipfile.ZipInfo) -> float | None:
    """Return the time of a file's last change.

    A zip's own time is local time without a zone, which is taken for UTC. The oldest possible time
    means that the packer does not tell.
    """
    extra = info.extra
    while len(extra) >= _FIELD.size:
        kind, size = _FIELD.unpack_from(extra)
        content, extra = extra[_FIELD.size : _FIELD.size + size], extra[_FIELD.size + size :]
        if kind == packing.TIMES and len(content) >= _TIME.size and content[0] & 1:
            return check_time(_TIME.unpack_from(content)[1])
    try:
        return (
            None
            if info.date_time == packing.EPOCH
            else check_time(datetime(*info.date_time, tzinfo=UTC).timestamp())
        )
    except ValueError:
        return None


def _check_directory(archive: Path, bundle: str, limits: BundleLimits) -> None:
    """Raise :class:`BadBundle` if a zip lists too much.

    zipfile reads the whole directory into memory, whatever its size.
    """
    with archive.open("rb") as file:
        end = zipfile._EndRecData(file)  # type: ignore[attr-defined]
        if end is None:
            return  # zipfile reports what is wrong
        size = end[_SIZE]
        if size > limits.entries * _DIRECTORY_ENTRY:
            raise too_many(bundle, limits)
        file.seek(max(0, end[_LOCATION] - size - _END_64))
        if file.read(size + _END_64).count(_SIGNATURE) > limits.entries:
            raise too_many(bundle, limits)


def _name_of(info: zipfile.ZipInfo, number: int, bundle: str) -> str:
    """Return the intended name.

    Programs often write UTF-8 without saying so, and other encodings cannot be told apart.
    """
    # Python's own name is cut at a NUL, which must be seen and refused; orig_filename is not.
    name = info.orig_filename
    if info.flag_bits & _UTF8 or name.isascii():
        return name
    try:
        return name.encode("cp437").decode()
    except UnicodeError:
        raise BadBundle(
            f'bundle {bundle}: path "{name[:200]}" is in an old encoding, and nobody can '
            "say in which; "
            "rename the file in plain ASCII, or pack with a program that writes UTF-8 "
            f"(entry {number})"
        ) from None
