"""Reading an author's archive, zip or tar.gz, without believing anything that it says of itself.

What kind it is comes from its content, not from its name. All that it lists is checked before anything is written. Sizes are counted
again while bytes come out, since what an archive claims need not be so. Nothing is ever written outside the target folder: paths are
checked, devices are refused, files are made anew in folders that were made here, and links, which lead to files and folders of the same
bundle only, are made last. Memory is bounded by the number of entries, whatever the size of files.
"""

import errno
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chalicelib.publishing.errors import BadBundle
from tasks.archive import tars, zips
from tasks.archive.entries import Entry, check_path
from tasks.archive.inventory import Inventory, take
from tasks.archive.limits import Limits

__all__ = ["Archive", "Limits", "check_path", "read"]

_CHUNK = 1 << 20


def read(archive: Path, bundle: str, limits: Limits) -> "Archive":
    """Open an archive; raise :class:`BadBundle` when it is neither zip nor tar.gz. ``bundle`` is its name in messages."""
    with archive.open("rb") as file:
        start = file.read(4)
    if start[:2] == b"PK":
        return Archive(archive, bundle, limits, zips.entries_of)
    if start[:2] == b"\x1f\x8b":
        return Archive(archive, bundle, limits, tars.entries_of)
    raise BadBundle(f"bundle {bundle}: it is neither a zip nor a tar.gz file; pack the app's folder into one")


class Archive:
    """An archive that was opened."""

    def __init__(self, archive: Path, bundle: str, limits: Limits, entries: Callable[[Path, str, Limits], Iterator[Entry]]) -> None:
        self._archive = archive
        self._bundle = bundle
        self._limits = limits
        self._open = entries

    def check(self) -> Inventory:
        """Look through everything, and write nothing; raise :class:`BadBundle` that names the entry and the rule that it breaks."""
        with self._damage_told():
            return take(self._entries(), self._archive.stat().st_size, self._bundle, self._limits)

    def content(self, path: str, most: int) -> bytes:
        """Return what is in one file, of at most ``most`` bytes; raise :class:`BadBundle`, :class:`KeyError` when it is not there."""
        with self._damage_told():
            for entry in self._entries():
                if entry.path == path and entry.link_to is not None:
                    raise BadBundle(f"bundle {self._bundle}: {path} is a link; make it a file (entry {entry.number})")
                if entry.path == path:
                    with entry.open() as source:
                        data = source.read(most + 1)
                    if len(data) > most:
                        raise BadBundle(f"bundle {self._bundle}: {path} has more than {most:,} bytes (entry {entry.number})")
                    return data
        raise KeyError(path)

    def unpack(self, _checked: Inventory, target: Path, top: str = "", progress: Callable[[int], None] = lambda _files: None) -> list[str]:
        """Write everything into ``target``, an empty folder; return the paths that were written, in order. What is written may still be on
        its way to the disk.

        ``_checked`` is what :meth:`check` has returned: nothing is written that was not looked through before. ``top`` is the one folder
        at the top that everything is in and that is left away (``""`` for none). ``progress`` is told how many files there are. Raise
        :class:`BadBundle`; what was written by then is the caller's to remove.
        """
        with self._damage_told():
            written: list[str] = []
            links: list[tuple[str, str]] = []
            room = self._limits.unpacked
            for entry in self._entries():
                path = _below(entry.path, top)
                if entry.link_to is None:
                    room -= self._write(entry, target / path, room)
                else:
                    links.append((path, _below(entry.link_to, top)))
                written.append(path)
                progress(len(written))
            for path, leads_to in links:
                (target / path).parent.mkdir(parents=True, exist_ok=True)
                (target / path).symlink_to(os.path.relpath(leads_to, os.path.dirname(path) or "."))  # noqa: PTH120
            return written

    def _entries(self) -> Iterator[Entry]:
        return self._open(self._archive, self._bundle, self._limits)

    @contextmanager
    def _damage_told(self) -> Iterator[None]:
        try:
            yield
        except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            raise BadBundle(f"bundle {self._bundle}: it is damaged or of an unusual kind ({error}); pack it anew") from error
        except OSError as error:
            # gzip tells of bad data by an OSError without a number, and a zip may make us seek to nowhere; all else is the disk's.
            if error.errno not in (None, errno.EINVAL):
                raise
            raise BadBundle(f"bundle {self._bundle}: it is damaged ({error}); pack it anew") from error

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
            os.fchmod(out.fileno(), 0o700 if entry.executable else 0o600)
            if entry.changed_at is not None:
                out.flush()  # what is written later changes the time
                os.utime(out.fileno(), (entry.changed_at, entry.changed_at))
        return size


def _below(path: str, top: str) -> str:
    return path[len(top) + 1 :] if top else path


def _never_through_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)
