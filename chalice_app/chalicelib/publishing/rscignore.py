"""``.rscignore``: what an author wants to stay out of bundles, by rsconnect's rules. Pure.

Each folder may have one. A line is the name of a file or folder beside it, not of one further
down; there are no regular expressions. An asterisk stands for any characters of a name, a question
mark for one. Empty lines, and those that begin with ``#``, say nothing.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

NAME = ".rscignore"
LARGEST = 64 * 1024
"""Bytes that are read of one."""
MOST_LINES = 1000


class Rules(NamedTuple):
    """What one such file says."""

    lines: tuple[str, ...]

    def leave_out(self, name: str) -> bool:
        """Whether the file or folder of that name, beside the rules, stays out."""
        return any(_matches(name, line) for line in self.lines)

    def without_effect(self, names: Iterable[str]) -> list[str]:
        """Return the lines that no name beside the rules matches: what they were to keep out is packed, or is not there."""
        names = list(names)
        return [line for line in self.lines if not any(_matches(name, line) for name in names)]


def read(content: bytes) -> Rules:
    """Read the file. What is beyond :data:`LARGEST` bytes or :data:`MOST_LINES` lines is not looked at."""
    lines = content[:LARGEST].decode(errors="surrogateescape").splitlines()[:MOST_LINES]
    return Rules(tuple(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")))


def _matches(name: str, line: str) -> bool:
    wanted = line.removeprefix("/").removesuffix("/")
    return name == wanted or (("*" in wanted or "?" in wanted) and fnmatchcase(name, wanted.replace("[", "[[]")))
