"""The sources of packages, each downloaded once and kept beside the cache.

A version in a repository never changes.
"""

import hashlib
import os
import tarfile
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from chalicelib.configuration.repositories import Repositories
from tasks.packages import dcf, versions
from tasks.packages.lock import LockedPackage
from tasks.packages.repositories import Repository, Unreachable

_FURTHEST = 4 * 1024**3
"""Bytes of an unpacked source within which its DESCRIPTION must come."""
_LARGEST_DESCRIPTION = 1024**2
_AT_ONCE = 6
"""Parallel downloads, limited to spare the repositories."""


@dataclass(frozen=True, slots=True)
class PackageSource:
    """The source of one package, on this machine."""

    name: str
    version: str
    archive: Path
    sha256: str
    needs: tuple[versions.Dependency, ...] = ()
    """The needs in its DESCRIPTION, including R itself."""


@dataclass
class Sources:
    """The sources that one build finds.

    All builds share ``folder``. Every file appears in it by one rename.
    """

    folder: Path
    repositories: Repositories

    def __post_init__(self) -> None:
        self._known: dict[str, Repository] = {}
        self._adding = threading.Lock()

    def _repository(self, url: str) -> Repository:
        with self._adding:
            return self._known.setdefault(url, Repository(url))

    def find(self, wanted: LockedPackage) -> PackageSource | str:
        """Return the source of a package, or the reason for its absence in words."""
        if wanted.remote:
            return f"it comes from {wanted.remote}, not from a repository"
        asked = self.repositories.asked_for(wanted.repository)
        file = f"{wanted.name}_{wanted.version}.tar.gz"
        why = [] if asked else ["this deployment has no repositories (SHEEN_REPOSITORIES)"]
        for url in asked:
            repository = self._repository(url)
            path = self.folder / repository.folder / file
            try:
                if path.exists() or repository.fetch(wanted, path):
                    os.utime(path)  # marks it as used: see tasks.packages.sweep
                    return _describe(wanted, path)
                current = repository.current(wanted.name)
            except Unreachable as error:
                why.append(str(error))
            except (OSError, tarfile.TarError, EOFError, ValueError, RecursionError) as error:
                path.unlink(missing_ok=True)
                why.append(f"{url}: {file} cannot be read ({error})")
            else:
                why.append(
                    f"{url} has {' and '.join(current)}" if current else f"{url} does not have it"
                )
        if wanted.repository and wanted.repository.rstrip("/") not in asked:
            why.append(
                f"{wanted.repository}, which the lock file names, is not among this "
                "deployment's repositories"
            )
        return "; ".join(why)


def find_all(
    sources: Sources, packages: Iterable[LockedPackage], tell: Callable[[int], None]
) -> tuple[Mapping[str, PackageSource], Mapping[str, str]]:
    """Return the available sources, and the reasons for missing ones, by name.

    ``tell`` gets the number of sources looked for so far.
    """
    found: dict[str, PackageSource] = {}
    missing: dict[str, str] = {}
    listed = list(packages)
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for number, (wanted, source) in enumerate(
            zip(listed, threads.map(sources.find, listed), strict=True), 1
        ):
            if isinstance(source, PackageSource):
                found[wanted.name] = source
            else:
                missing[wanted.name] = source
            tell(number)
    return found, missing


def _describe(wanted: LockedPackage, archive: Path) -> PackageSource:
    """Read a source's DESCRIPTION without unpacking the rest.

    Raise ``tarfile.TarError`` if it is another package's.
    """
    description = dcf.record(_description(archive, wanted.name))
    if description.get("Package") != wanted.name or not versions.same(
        description.get("Version", "0"), wanted.version
    ):
        raise tarfile.ReadError(f"it is {description.get('Package')} {description.get('Version')}")
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return PackageSource(
        wanted.name, wanted.version, archive, digest, versions.strong_needs(description)
    )


def _description(archive: Path, name: str) -> str:
    passed = 0
    with tarfile.open(archive, "r|*") as opened:
        for member in opened:
            if (
                member.name.removeprefix("./") == f"{name}/DESCRIPTION"
                and member.isreg()
                and member.size <= _LARGEST_DESCRIPTION
            ):
                file = opened.extractfile(member)
                assert file is not None
                return file.read().decode(errors="replace")
            passed += member.size
            if passed > _FURTHEST:
                break
    raise tarfile.ReadError("it has no DESCRIPTION")
