"""The contents of an app's lock file, for all three kinds of lock files.

This module is pure.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tasks.packages import versions
from tasks.packages.errors import BadLock

MOST_PACKAGES = 2000

_REMOTES = {"github", "gitlab", "bitbucket", "git", "git2r", "xgit", "url", "local", "source"}
"""Sources other than repositories, by the names that rsconnect, renv and packrat use."""
_BASE = {"r", "base"}


@dataclass(frozen=True, slots=True)
class LockedPackage:
    """A package that the app was made with."""

    name: str
    version: str
    repository: str = ""
    """URL of the repository that the lock file names; empty if it names none."""
    remote: str = ""
    """Another source in words, such as ``GitHub (r-lib/cli@8f2a)``; empty for a repository."""
    needs: tuple[str, ...] = ()
    """Names of the packages that it needs, as far as the lock file says."""

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True)
class Lock:
    """Everything that a lock file wants."""

    file: str
    """The file's path in the bundle."""
    r_version: str
    """The R version that the app was made with; empty if the file does not say."""
    packages: tuple[LockedPackage, ...]


@dataclass(frozen=True, slots=True)
class Reader:
    """Turns the entries of a file into :class:`LockedPackage`.

    Its errors name the file, the package, the rule and the way out.
    """

    file: str
    again: str
    """How the author writes the file again."""

    def bad(self, what: str) -> BadLock:
        """Return the error."""
        return BadLock(f"{self.file}: {what}; {self.again}")

    def mapping(self, value: Any, what: str) -> Mapping[str, Any]:
        """Return ``value`` if it is an object with names."""
        if not isinstance(value, Mapping):
            raise self.bad(f"{what} must be an object with names in it")
        return value

    def text(self, value: Any, package: str, what: str) -> str:
        """Return a field that may be missing."""
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.bad(f'package "{package[:100]}": {what} must be text')
        return value.strip()

    def wanted(
        self,
        name: str,
        version: str,
        source: str,
        repository: str,
        needs: tuple[versions.Dependency, ...],
        remote: Callable[[], str] = lambda: "",
    ) -> LockedPackage | None:
        """Check one package; return None if it is a part of R itself, whose version is R's.

        ``remote`` describes a source other than a repository.
        """
        if not versions.is_name(name):
            raise self.bad(
                f'package "{name[:100]}": a name has letters, digits and dots and begins '
                "with a letter"
            )
        if name in BASE_PACKAGES or source.lower() in _BASE:
            return None
        if not version:
            raise self.bad(f'package "{name}": it has no Version')
        if len(version) > 60 or not versions.is_version(version):
            raise self.bad(
                f'package "{name}": Version "{version[:60]}" is none of R\'s; these are '
                "numbers with . or - between, as in 1.2-3"
            )
        from_elsewhere = source.lower() in _REMOTES
        return LockedPackage(
            name,
            version,
            repository=repository if not from_elsewhere and is_url(repository) else "",
            remote=(remote() or source) if from_elsewhere else "",
            needs=tuple(
                dict.fromkeys(
                    need.name
                    for need in needs
                    if need.name != "R" and need.name not in BASE_PACKAGES
                )
            ),
        )

    def lock(self, r_version: str, packages: list[LockedPackage | None]) -> Lock:
        """Return the lock; raise :class:`BadLock` for too many packages or a repeated one."""
        found = [package for package in packages if package is not None]
        if len(found) > MOST_PACKAGES:
            raise self.bad(
                f"it wants {len(found):,} packages; at most {MOST_PACKAGES:,} are allowed"
            )
        names: set[str] = set()
        for package in found:
            if package.name in names:
                raise self.bad(f'package "{package.name}" is there twice')
            names.add(package.name)
        return Lock(self.file, r_version, tuple(sorted(found, key=lambda package: package.name)))


BASE_PACKAGES = frozenset(
    [
        "base",
        "compiler",
        "datasets",
        "graphics",
        "grDevices",
        "grid",
        "methods",
        "parallel",
        "splines",
        "stats",
        "stats4",
        "tcltk",
        "tools",
        "translations",
        "utils",
    ]
)
"""Packages that come with R and have R's own version."""


def is_url(text: str) -> bool:
    """Return whether a repository is named by its URL."""
    return bool(re.match(r"https?://[^\s]+\Z", text))
