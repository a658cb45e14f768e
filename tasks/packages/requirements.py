"""Read ``requirements.txt``, and compare it with the packages of the image's Python.

This module is pure.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from tasks.packages.errors import BadLock
from tasks.packages.lock import MOST_PACKAGES

FILE = "requirements.txt"

_LONGEST_REQUIREMENT = 2000
"""Most characters of a line without its hashes."""
_COMMENT = re.compile(r"(^|\s)#.*$")
_HASH = re.compile(r"\s--hash=(?P<hash>[a-z0-9]+:[0-9a-f]+)(?=\s|\Z)")


@dataclass(frozen=True, slots=True)
class RequiredPackage:
    """One wanted package, a line of the file."""

    requirement: Requirement
    hashes: frozenset[str] = frozenset()
    """Allowed hashes of the download, such as ``sha256:…``; empty allows any."""

    @property
    def name(self) -> str:
        """Its normalised name."""
        return canonicalize_name(self.requirement.name)


@dataclass(frozen=True, slots=True)
class PythonPackage:
    """A package of the image."""

    version: str
    needs: tuple[Requirement, ...] = ()


def read(text: str) -> list[RequiredPackage]:
    """Return the packages that the file wants.

    A line is a name with versions, extras and conditions. Everything that would fetch from
    elsewhere (a URL, a folder, another file or index) is refused, because the file comes from an
    author and the build runs within the deployment's network. Raise :class:`BadLock` that names the
    line.
    """
    found = []
    for count, (number, line) in enumerate(_lines(text), 1):
        if count > MOST_PACKAGES:
            raise BadLock(
                f"{FILE}: it wants more than {MOST_PACKAGES:,} packages; at most that "
                "many are allowed"
            )
        plain = _HASH.sub("", line).strip()
        hashes = frozenset(match["hash"] for match in _HASH.finditer(line))
        if len(plain) > _LONGEST_REQUIREMENT:
            raise BadLock(
                f"{FILE}: line {number} has {len(plain):,} characters beside hashes; it "
                f"may have {_LONGEST_REQUIREMENT:,}"
            )
        try:
            requirement = Requirement(plain)
        # An author can nest the brackets of a condition as deep as they like.
        except (InvalidRequirement, ValueError, RecursionError):
            requirement = None
        if requirement is None or requirement.url is not None:
            raise BadLock(
                f'{FILE}: line {number} is "{plain[:100]}"; a line is a package of the '
                "deployment's repositories, with versions "
                "if need be, as in pandas>=2: no option, URL, path or other file"
            )
        if requirement.marker is None or requirement.marker.evaluate():
            found.append(RequiredPackage(requirement, hashes))
    return found


def missing(
    wanted: Iterable[RequiredPackage], installed: Mapping[str, PythonPackage]
) -> list[RequiredPackage]:
    """Return the packages that the image lacks, or has only at a version that is not allowed.

    ``installed`` is keyed by canonical name.
    """
    return [each for each in wanted if not _is_there(each.requirement, installed, frozenset())]


def instead(wanted: RequiredPackage, installed: Mapping[str, PythonPackage]) -> str:
    """Return the wanted package in words, with the image's version if it has another one."""
    there = installed.get(wanted.name)
    return f"{wanted.requirement}{f' (the image has {there.version})' if there is not None else ''}"


def packages_of(distributions: Iterable[Distribution]) -> dict[str, PythonPackage]:
    """Return packages by name; the first of two with one name wins, as in Python."""
    found: dict[str, PythonPackage] = {}
    for distribution in distributions:
        name: str | None = distribution.metadata["Name"]
        if name:
            needs = tuple(map(Requirement, distribution.requires or ()))
            found.setdefault(canonicalize_name(name), PythonPackage(distribution.version, needs))
    return found


def _lines(text: str) -> Iterable[tuple[int, str]]:
    """Yield the lines that are not empty, joined with their continuations."""
    begun: list[str] = []
    first = 0
    for number, line in enumerate(text.splitlines(), 1):
        first = first if begun else number
        plain = _COMMENT.sub("", line)
        if plain.endswith("\\"):
            begun.append(plain[:-1] + " ")
            continue
        begun.append(plain)
        if whole := "".join(begun).strip():
            yield first, whole
        begun = []
    if whole := "".join(begun).strip():
        yield first, whole


def _is_there(
    requirement: Requirement, installed: Mapping[str, PythonPackage], asked: frozenset[str]
) -> bool:
    name = canonicalize_name(requirement.name)
    there = installed.get(name)
    try:
        if there is None or not requirement.specifier.contains(
            Version(there.version), prereleases=True
        ):
            return False
    except InvalidVersion:
        return False
    of_extras = [
        need
        for extra in requirement.extras - asked
        for need in there.needs
        if need.marker is not None
        and not need.marker.evaluate({"extra": ""})
        and need.marker.evaluate({"extra": extra})
    ]
    return all(_is_there(need, installed, asked | requirement.extras) for need in of_extras)
