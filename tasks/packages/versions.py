"""R's version numbers, and the needs that packages declare.

This module is pure.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

_VERSION = re.compile(r"\d{1,12}([.-]\d{1,12}){1,15}\Z")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9.]{0,98}[A-Za-z0-9]\Z")
_NEED = re.compile(
    r"(?P<name>[A-Za-z][A-Za-z0-9.]*)\s*(\(\s*(?P<rule>>=|<=|==|!=|>|<)\s*(?P<version>[0-9.-]+)\s*\))?\Z"
)

STRONG = ("Depends", "Imports", "LinkingTo")
"""The fields of a DESCRIPTION with the packages needed to install and load a package."""


class Dependency(NamedTuple):
    """One entry of such a field, such as ``rlang (>= 1.0.2)``."""

    name: str
    rule: str = ""
    version: str = ""

    def allows(self, version: str) -> bool:
        """Return whether a version satisfies the need."""
        have, asked = parts(version), parts(self.version) if self.rule else ()
        match self.rule:
            case ">=":
                return have >= asked
            case ">":
                return have > asked
            case "<=":
                return have <= asked
            case "<":
                return have < asked
            case "==":
                return have == asked
            case "!=":
                return have != asked
        return True

    def __str__(self) -> str:
        return f"{self.name} ({self.rule} {self.version})" if self.rule else self.name


def is_name(text: str) -> bool:
    """Return whether ``text`` can be a package's name, which is safe as a folder's name too.

    The rule is in *Writing R Extensions*, 1.1.1.
    """
    return bool(_NAME.match(text))


def is_version(text: str) -> bool:
    """Return whether ``text`` can be a package's version.

    A version has at least two numbers, with ``.`` or ``-`` between them.
    """
    return bool(_VERSION.match(text))


def parts(version: str) -> tuple[int, ...]:
    """Return a version in a form that compares like R's ``package_version``.

    ``1.0-1`` equals ``1.0.1``, and ``1.0`` comes before ``1.0.0``.
    """
    return tuple(int(part) for part in re.split(r"[.-]", version) if part)


def same(one: str, other: str) -> bool:
    """Return whether two versions are the same."""
    return parts(one) == parts(other)


def needs(field: str) -> tuple[Dependency, ...]:
    """Parse one field of a DESCRIPTION; skip entries that cannot be parsed, which R reports."""
    found = (_NEED.match(" ".join(entry.split())) for entry in field.split(","))
    return tuple(
        Dependency(match["name"], match["rule"] or "", match["version"] or "")
        for match in found
        if match
    )


def strong_needs(description: Mapping[str, str]) -> tuple[Dependency, ...]:
    """Return everything that a package needs to be installed, including R (``R (>= 4.1)``)."""
    return tuple(need for field in STRONG for need in needs(description.get(field, "")))
