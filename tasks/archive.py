"""Reading an author's archive, zip or tar.gz, without believing anything that it says of itself.

What kind it is comes from its content, not from its name. Sizes are counted while bytes come out, since what an
archive claims need not be so.
Nothing is ever written outside the target folder: every path is checked before anything is written, links and devices
are refused, and files are made anew in folders that were made here.
"""

import errno
import gzip
import os
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

from chalicelib.bundles.errors import BadBundle

_CHUNK = 1 << 20
_LONGEST_PATH = 1000
_LONGEST_NAME = 255
_DEEPEST = 64
_DIRECTORY_SIZE = 5
"""Where the size of a zip's directory is in what zipfile knows of its end."""
_DIRECTORY_ENTRY = 2048
"""Bytes of one entry of it, long name included."""
_LARGEST_HEADER = 64 * 1024
_HEADERS = 2048
"""Bytes of headers of one tar entry, long names included, that do not count as content."""
_HEADERS_WITH_DATA = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
_JUNK = re.compile(r"(^|/)(__MACOSX(/|$)|\._[^/]*$|\.DS_Store$)")
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a bundle may hold; the numbers are those of shinyapps.io."""

    entries: int = 10_000
    unpacked: int = 3 * 1024**3
    """Bytes of all files together."""


class Entry(NamedTuple):
    """One file of an archive that may be written: where to, and how to read it."""

    path: str
    """Relative, with ``/``; checked."""
    number: int
    """Which entry it is, from 1."""
    open: Callable[[], IO[bytes]]


def read(archive: Path, bundle: str, limits: Limits = Limits()) -> "Reader":
    """Open an archive; raise :class:`BadBundle` when it is neither zip nor tar.gz, or is damaged. ``bundle`` is its name in messages."""
    with archive.open("rb") as file:
        start = file.read(4)
    if start[:2] == b"PK":
        return Reader(bundle, limits, lambda: _zip_entries(archive, bundle, limits))
    if start[:2] == b"\x1f\x8b":
        return Reader(bundle, limits, lambda: _tar_entries(archive, bundle, limits))
    raise BadBundle(f"bundle {bundle}: it is neither a zip nor a tar.gz file; pack the app's folder into one")


class Reader:
    """An archive that was opened."""

    def __init__(self, bundle: str, limits: Limits, entries: Callable[[], Iterator[Entry]]) -> None:
        self._bundle = bundle
        self._limits = limits
        self._entries = entries

    def unpack(self, target: Path, top_of: Callable[[list[str]], str], progress: Callable[[int], None] = lambda _files: None) -> list[str]:
        """Write everything into ``target``, an empty folder, and return the paths that were written, in order.

        ``top_of`` gets all paths and says which one top folder to leave away (``""`` for none). Raise :class:`BadBundle`; what was written
        by then is the caller's to remove.
        """
        try:
            top = top_of([entry.path for entry in self._checked()])
            written = []
            room = self._limits.unpacked
            for entry in self._checked():
                path = entry.path[len(top) + 1 :] if top else entry.path
                room -= self._write(entry, target / path, room)
                written.append(path)
                progress(len(written))
            return written
        except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            raise BadBundle(f"bundle {self._bundle}: it is damaged or of an unusual kind ({error}); pack it anew") from error
        except OSError as error:
            # gzip tells of bad data by an OSError without a number, and a zip may make us seek to nowhere; all else is the disk's.
            if error.errno not in (None, errno.EINVAL):
                raise
            raise BadBundle(f"bundle {self._bundle}: it is damaged ({error}); pack it anew") from error

    def _checked(self) -> Iterator[Entry]:
        """The entries, with no path twice and no file where another needs a folder."""
        files: set[str] = set()
        folders: set[str] = set()
        for entry in self._entries():
            key = entry.path
            above = {key[:at] for at in range(len(key)) if key[at] == "/"}
            if key in files or key in folders or above & files:
                raise BadBundle(f'bundle {self._bundle}: path "{key}" comes twice, or as a file and a folder (entry {entry.number})')
            files.add(key)
            folders |= above
            yield entry

    def _write(self, entry: Entry, to: Path, room: int) -> int:
        """Write one file of at most ``room`` bytes; return its size."""
        to.parent.mkdir(parents=True, exist_ok=True)
        size = 0
        with entry.open() as source, open(to, "xb", opener=_never_through_links) as out:
            while chunk := source.read(_CHUNK):
                size += len(chunk)
                if size > room:
                    raise BadBundle(
                        f"bundle {self._bundle}: its files have more than {self._limits.unpacked:,} bytes together "
                        f"(at entry {entry.number}); leave data out, or put it on EFS by a sync"
                    )
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
        return size


def check_path(name: str, number: int, bundle: str) -> str:
    """Return an entry's path as it may be written, or raise :class:`BadBundle` that says why not. Pure."""

    def bad(why: str) -> BadBundle:
        return BadBundle(f'bundle {bundle}: path "{name[:200]}" {why} (entry {number})')

    if "\0" in name or any(ord(character) < 32 for character in name):
        raise BadBundle(f"bundle {bundle}: path {name[:200]!r} has control characters in it (entry {number})")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise BadBundle(f"bundle {bundle}: path {name[:200]!r} is not UTF-8 (entry {number})") from None
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


def _never_through_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _too_many(bundle: str, limits: Limits) -> BadBundle:
    return BadBundle(f"bundle {bundle}: it has more than {limits.entries:,} entries; leave data out, or pack it")


def _zip_entries(archive: Path, bundle: str, limits: Limits) -> Iterator[Entry]:
    with archive.open("rb") as file:
        end = zipfile._EndRecData(file)  # type: ignore[attr-defined]
    if end is not None and end[_DIRECTORY_SIZE] > limits.entries * _DIRECTORY_ENTRY:
        # zipfile reads the whole directory into memory, whatever its size.
        raise _too_many(bundle, limits)
    with zipfile.ZipFile(archive) as opened:
        infos = opened.infolist()
        if len(infos) > limits.entries:
            raise _too_many(bundle, limits)
        for number, info in enumerate(infos, 1):
            # orig_filename: Python's own cuts at a NUL, which is to be seen and refused.
            name = info.orig_filename
            if _JUNK.search(name):
                continue
            mode = info.external_attr >> 16
            kind = stat.S_IFMT(mode) if info.create_system == 3 else 0
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                what = "a link" if kind == stat.S_IFLNK else "a device"
                raise BadBundle(f'bundle {bundle}: path "{name[:200]}" is {what}; only files and folders are allowed (entry {number})')
            if info.flag_bits & 1:
                raise BadBundle(f'bundle {bundle}: path "{name[:200]}" is encrypted; pack it without a password (entry {number})')
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise BadBundle(f'bundle {bundle}: path "{name[:200]}" is packed in an unusual way; use plain zip (entry {number})')
            is_folder = name.endswith("/") or kind == stat.S_IFDIR
            if is_folder and not name.strip("./"):
                continue
            path = check_path(name, number, bundle)
            if not is_folder:
                yield Entry(path, number, lambda info=info: opened.open(info))  # type: ignore[misc]


def _tar_entries(archive: Path, bundle: str, limits: Limits) -> Iterator[Entry]:
    # Without tarfile's own "r:gz", whose index of what is skipped can be made to unpack without end.
    with (
        _Counted(archive, bundle, limits) as unzipped,
        tarfile.open(fileobj=unzipped, mode="r|", tarinfo=_bounded_headers(bundle)) as opened,
    ):
        for number, member in enumerate(opened, 1):
            if number > limits.entries:
                raise _too_many(bundle, limits)
            if _JUNK.search(member.name):
                continue
            if not (member.isreg() or member.isdir()):
                what = "a link" if member.islnk() or member.issym() else "a device"
                raise BadBundle(
                    f'bundle {bundle}: path "{member.name[:200]}" is {what}; only files and folders are allowed (entry {number})'
                )
            if member.isdir() and not member.name.strip("./"):
                continue
            path = check_path(member.name, number, bundle)
            if member.isreg():
                yield Entry(path, number, lambda member=member: _member(opened, member))  # type: ignore[misc]


def _member(opened: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = opened.extractfile(member)
    assert file is not None
    return file


def _bounded_headers(bundle: str) -> type[tarfile.TarInfo]:
    """Tar headers that refuse to be huge: tarfile reads long names and attributes into memory, whatever their size."""

    class Header(tarfile.TarInfo):
        def _proc_member(self, opened: tarfile.TarFile) -> tarfile.TarInfo:
            if self.type in _HEADERS_WITH_DATA and self.size > _LARGEST_HEADER:
                raise BadBundle(f"bundle {bundle}: it has a header of {self.size:,} bytes; pack it anew with plain tar")
            header: tarfile.TarInfo = super()._proc_member(opened)  # type: ignore[misc]
            return header

    return Header


class _Counted(gzip.GzipFile):
    """The bytes of a gzip file, with a limit on how many there are, whether they are files, headers or padding."""

    def __init__(self, archive: Path, bundle: str, limits: Limits) -> None:
        super().__init__(archive, "rb")
        self._bundle = bundle
        self._limits = limits
        self._room = limits.unpacked + (limits.entries + 20) * _HEADERS

    def read(self, size: int | None = -1) -> bytes:
        """Read on; raise :class:`BadBundle` at the limit."""
        data = super().read(size)
        self._room -= len(data)
        if self._room < 0:
            raise BadBundle(
                f"bundle {self._bundle}: its files have more than {self._limits.unpacked:,} bytes together; "
                "leave data out, or put it on EFS by a sync"
            )
        return data
