"""Read an author's archive, zip or tar.gz, without trusting any of its claims.

Its content, not its name, decides which kind it is. Everything that it lists is checked before
anything is written. Sizes are counted again during unpacking, because the archive's claims may be
false. Nothing is ever written outside the target folder. Paths are checked and devices are refused.
Files are created anew in folders that were made here. Links are made last and lead only to files
and folders of the same bundle. The number of entries bounds memory, whatever the size of files.
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
from chalicelib.publishing.limits import BundleLimits
from tasks.archive import tars, zips
from tasks.archive.entries import ArchiveEntry, check_path
from tasks.archive.inventory import Inventory, take

__all__ = ["Archive", "check_path", "read"]

_CHUNK = 1 << 20


def read(archive: Path, bundle: str, limits: BundleLimits) -> "Archive":
    """Open an archive; ``bundle`` is its name in messages.

    Raise :class:`BadBundle` if it is neither zip nor tar.gz.
    """
    with archive.open("rb") as file:
        start = file.read(4)
    if start[:2] == b"PK":
        return Archive(archive, bundle, limits, zips.entries_of)
    if start[:2] == b"\x1f\x8b":
        return Archive(archive, bundle, limits, tars.entries_of)
    raise BadBundle(
        f"bundle {bundle}: it is neither a zip nor a tar.gz file; pack the app's folder into one"
    )


class Archive:
    """An opened archive."""

    def __init__(
        self,
        archive: Path,
        bundle: str,
        limits: BundleLimits,
        entries: Callable[[Path, str, BundleLimits], Iterator[ArchiveEntry]],
    ) -> None:
        self._archive = archive
        self._bundle = bundle
        self._limits = limits
        self._open = entries

    def check(self) -> Inventory:
        """Check everything and write nothing.

        Raise :class:`BadBundle` that names the entry and the rule that it breaks.
        """
        with self._damage_told():
            return take(self._entries(), self._archive.stat().st_size, self._bundle, self._limits)

    def content(self, path: str, most: int) -> bytes:
        """Return the content of one file of at most ``most`` bytes.

        Raise :class:`BadBundle`, or :class:`KeyError` if there is no such file.
        """
        with self._damage_told():
            for entry in self._entries():
                if entry.path == path and entry.link_to is not None:
                    raise BadBundle(
                        f"bundle {self._bundle}: {path} is a link; make it a file (entry "
                        f"{entry.number})"
                    )
                if entry.path == path:
                    with entry.open() as source:
                        data = source.read(most + 1)
                    if len(data) > most:
                        raise BadBundle(
                            f"bundle {self._bundle}: {path} has more than {most:,} bytes "
                            f"(entry {entry.number})"
                        )
                    return data
        raise KeyError(path)

    def unpack(
        self,
        _checked: Inventory,
        target: Path,
        top: str = "",
        progress: Callable[[int], None] = lambda _files: None,
    ) -> list[str]:
        """Write everything into ``target``, an empty folder; return the written paths, in order.

        The files may not be synced to disk yet. ``_checked`` is the result of :meth:`check`:
        nothing is written that was not checked before. ``top`` is the one folder at the top that
        holds everything and is left out (``""`` for none). ``progress`` gets the number of files so
        far. Raise :class:`BadBundle`; the caller removes what was written by then.
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

    def _entries(self) -> Iterator[ArchiveEntry]:
        return self._open(self._archive, self._bundle, self._limits)

    @contextmanager
    def _damage_told(self) -> Iterator[None]:
        try:
            yield
        except (
            tarfile.TarError,
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            NotImplementedError,
            RuntimeError,
            ValueError,
        ) as error:
            raise BadBundle(
                f"bundle {self._bundle}: it is damaged or of an unusual kind ({error}); "
                "pack it anew"
            ) from error
        except OSError as error:
            # gzip reports bad data by an OSError without a number, and a zip may make us seek to an
            # invalid position. All other errors are the disk's.
            if error.errno not in (None, errno.EINVAL):
                raise
            raise BadBundle(
                f"bundle {self._bundle}: it is damaged ({error}); pack it anew"
            ) from error

    def _write(self, entry: ArchiveEntry, to: Path, room: int) -> int:
        """Write one file of at most ``room`` bytes; return its size."""
        to.parent.mkdir(parents=True, exist_ok=True)
        size = 0
        with entry.open() as source, open(to, "xb", opener=_never_through_links) as out:
            while chunk := source.read(_CHUNK):
                size += len(chunk)
                if size > room:
                    raise BadBundle(
                        f"bundle {self._bundle}: its files have more than {self._limits.unpacked:,} bytes together "  # noqa: E501
                        f"(at entry {entry.number}); leave data out, or put it on EFS by a sync"
                    )
                out.write(chunk)
            os.fchmod(out.fileno(), 0o700 if entry.executable else 0o600)
            if entry.changed_at is not None:
                out.flush()  # later writes change the time
                os.utime(out.fileno(), (entry.changed_at, entry.changed_at))
        return size


def _below(path: str, top: str) -> str:
    return path[len(top) + 1 :] if top else path


def _never_through_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)
