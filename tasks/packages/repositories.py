"""A CRAN-like repository, and what it contains.

:mod:`chalicelib.configuration.repositories` says which repositories are asked.
"""

import gzip
import hashlib
import http.client
import os
import tempfile
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, cast

from chalicelib.errors import Broken
from tasks.packages import dcf
from tasks.packages.lock import LockedPackage
from tasks.packages.versions import is_version, same

LARGEST_SOURCE = 1024**3
"""Largest size in bytes of a package's source."""
LARGEST_INDEX = 256 * 1024**2
_PATIENCE = 20.0
_TRIES = 3
_CHUNK = 1 << 20


class Unreachable(Broken):
    """A repository does not answer, or its answer is not a repository's."""


class Repository:
    """One repository, as seen by one build."""

    def __init__(self, url: str) -> None:
        """Create a repository; ``url`` comes without ``/src/contrib``."""
        self.url = url
        self._index: Mapping[str, Mapping[str, str]] | None = None
        self._refused: Unreachable | None = None
        self._reading = threading.Lock()

    @property
    def folder(self) -> str:
        """The name of this repository's own folder."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:16]

    def current(self, name: str) -> Mapping[str, str]:
        """Return a package's versions in the index, each with the MD5 of its source, or ``""``.

        Some repositories have several versions. Raise :class:`Unreachable`.
        """
        with self._reading:
            # Ask an unreachable repository only once, so that further packages need not wait for
            # it.
            if self._refused is not None:
                raise self._refused
            if self._index is None:
                try:
                    self._index = self._read_index()
                except Unreachable as error:
                    self._refused = error
                    raise
            return self._index.get(name, {})

    def fetch(self, wanted: LockedPackage, to: Path) -> bool:
        """Download the source of the exact version, from the index or the archive.

        Return False if the repository does not have it. ``to`` is written by one rename. Raise
        :class:`Unreachable`.
        """
        current = next(
            (each for each in self.current(wanted.name).items() if same(each[0], wanted.version)),
            None,
        )
        archived = f"Archive/{wanted.name}/{wanted.name}_{wanted.version}.tar.gz"
        if current is not None:
            # The source may have moved to the archive since the index was written.
            return self._download(
                f"{wanted.name}_{current[0]}.tar.gz", to, current[1]
            ) or self._download(archived, to)
        return self._download(archived, to)

    def _read_index(self) -> dict[str, dict[str, str]]:
        text = self._get("PACKAGES.gz")
        try:
            plain = gzip.decompress(text) if text is not None else self._get("PACKAGES")
        except (OSError, EOFError, zlib.error) as error:
            raise Unreachable(
                f"{self.url}: its src/contrib/PACKAGES.gz cannot be read ({error})"
            ) from error
        if plain is None:
            raise Unreachable(
                f"{self.url}: it has no src/contrib/PACKAGES; is it a repository of R packages?"
            )
        found: dict[str, dict[str, str]] = {}
        for record in dcf.records(plain.decode(errors="replace")):
            version = record.get("Version", "")
            # An entry with a path is for another version of R.
            if "Package" in record and is_version(version) and "Path" not in record:
                found.setdefault(record["Package"], {})[version] = record.get("MD5sum", "")
        return found

    def _get(self, path: str) -> bytes | None:
        with tempfile.TemporaryFile() as file:
            if not self._copy(path, file, LARGEST_INDEX):
                return None
            file.seek(0)
            return file.read()

    def _download(self, path: str, to: Path, md5: str = "") -> bool:
        to.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=to.parent)
        try:
            with os.fdopen(handle, "w+b") as file:
                if not self._copy(path, file, LARGEST_SOURCE):
                    return False
                file.seek(0)
                if (
                    md5
                    and hashlib.file_digest(
                        file, lambda: hashlib.md5(usedforsecurity=False)
                    ).hexdigest()
                    != md5
                ):
                    raise Unreachable(
                        f"{self.url}: src/contrib/{path} is not what its index says "
                        "(MD5); try again later"
                    )
                os.fchmod(file.fileno(), 0o644)
                file.flush()
                os.fsync(file.fileno())
            Path(beside).replace(to)
        finally:
            Path(beside).unlink(missing_ok=True)
        return True

    def _copy(self, path: str, file: IO[bytes], most: int) -> bool:
        """Download into ``file``; return False for a 404, and retry transient failures."""
        url = f"{self.url}/src/contrib/{path}"
        for attempt in range(_TRIES):
            file.seek(0)
            file.truncate()
            try:
                # The operator allows the URL, which is http or https; see Repositories.
                with urllib.request.urlopen(  # noqa: S310
                    urllib.request.Request(url, headers={"User-Agent": "Sheen"}),  # noqa: S310
                    timeout=_PATIENCE,
                ) as answer:
                    _pump(cast(IO[bytes], answer), file, most, url)
                    # A remaining length means an incomplete body: http.client accepts an early end.
                    if answer.length:
                        raise OSError(
                            f"src/contrib/{path} broke off {answer.length:,} bytes before its end"
                        )
                return True
            except urllib.error.HTTPError as error:
                if error.code in (404, 410):
                    return False
                why = f"{error.code} {error.reason}"
            except (OSError, http.client.HTTPException) as error:  # includes URLError and timeouts
                why = str(getattr(error, "reason", error))
            if attempt + 1 < _TRIES:
                time.sleep(0.5 * 2**attempt)
        raise Unreachable(f"{self.url}: it does not answer ({why})")


def _pump(source: IO[bytes], target: IO[bytes], most: int, what: str) -> None:
    size = 0
    while chunk := source.read(_CHUNK):
        size += len(chunk)
        if size > most:
            raise Unreachable(f"{what}: it has more than {most:,} bytes")
        target.write(chunk)
