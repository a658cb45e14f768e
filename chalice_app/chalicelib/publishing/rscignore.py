"""``.rscignore``: files that an author excludes from bundles, by rsconnect's rules. Pure.

Each folder may have one. A line is the name of a file or folder beside it, not further down. There
are no regular expressions: an asterisk stands for any characters of a name, and a question mark for
one. Empty lines and lines that begin with ``#`` are ignored.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

NAME = ".rscignore"
LARGEST = 64 * 1024
"""Bytes of one file that are read."""
MOST_LINES = 1000


class IgnoreRules(NamedTuple):
    """The rules of one such file."""

    lines: tuple[str, ...]

    def leave_out(self, name: str) -> bool:
        """Return whether the file or folder with this name, beside the rules, stays out."""
        return any(_matches(name, line) for line in self.lines)

    def without_effect(self, names: Iterable[str]) -> list[str]:
        """Return the lines that match no name beside the rules.

        What they should exclude is either packed or does not exist.
        """
        names = list(names)
        return [line for line in self.lines if not any(_matches(name, line) for name in names)]


def read(content: bytes) -> IgnoreRules:
    """Read the file; ignore all beyond :data:`LARGEST` bytes or :data:`MOST_LINES` lines."""
    lines = content[:LARGEST].decode(errors="surrogateescape").splitlines()[:MOST_LINES]
    return IgnoreRules(
        tuple(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#"))
    )


def _matches(name: str, line: str) -> bool:
    wanted = line.removeprefix("/").removesuffix("/")
    return name == wanted or (
        ("*" in wanted or "?" in wanted) and fnmatchcase(name, wanted.replace("[", "[[]"))
    )
