"""R's version numbers and what packages say they need. Pure."""

import re
from collections.abc import Mapping
from typing import NamedTuple

_VERSION = re.compile(r"\d{1,12}([.-]\d{1,12}){1,15}\Z")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9.]{0,98}[A-Za-z0-9]\Z")
_NEED = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9.]*)\s*(\(\s*(?P<rule>>=|<=|==|!=|>|<)\s*(?P<version>[0-9.-]+)\s*\))?\Z")

STRONG = ("Depends", "Imports", "LinkingTo")
"""The fields of a DESCRIPTION that name what must be there for a package to be installed and loaded."""


class Need(NamedTuple):
    """One entry of such a field: ``rlang (>= 1.0.2)``."""

    name: str
    rule: str = ""
    version: str = ""

    def allows(self, version: str) -> bool:
        """Say whether a version is one that is asked for."""
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
    """Say whether ``text`` can be a package's name; then it can be a folder's too (*Writing R Extensions*, 1.1.1)."""
    return bool(_NAME.match(text))


def is_version(text: str) -> bool:
    """Say whether ``text`` can be a package's version: at least two numbers, with ``.`` or ``-`` between them."""
    return bool(_VERSION.match(text))


def parts(version: str) -> tuple[int, ...]:
    """Return a version so that it compares as R's ``package_version`` does: ``1.0-1`` equals ``1.0.1``, ``1.0`` is before ``1.0.0``."""
    return tuple(int(part) for part in re.split(r"[.-]", version) if part)


def same(one: str, other: str) -> bool:
    """Say whether two versions are the same."""
    return parts(one) == parts(other)


def needs(field: str) -> tuple[Need, ...]:
    """Read one field of a DESCRIPTION. What cannot be read is left out: R says what is wrong with it."""
    found = (_NEED.match(" ".join(entry.split())) for entry in field.split(","))
    return tuple(Need(match["name"], match["rule"] or "", match["version"] or "") for match in found if match)


def strong_needs(description: Mapping[str, str]) -> tuple[Need, ...]:
    """Return all that a package needs in order to be installed, R itself (``R (>= 4.1)``) among it."""
    return tuple(need for field in STRONG for need in needs(description.get(field, "")))
