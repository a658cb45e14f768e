"""The format of a build log: one line for each step, and for each line that a package says. Pure.

The build writes it (:mod:`tasks.build_log`), and ``sheen publish`` reads it.
"""

import re

NOTE = "note: "
"""Prefix of a line that the author must not miss."""
_CONTROL = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)


def printable(text: str) -> str:
    """Return text without the characters that could control the reader's terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def line_of(text: str, package: str = "") -> str:
    """Return a line of the log; ``package`` is the package that said it, if one did.

    >>> line_of("checking for gcc... gcc", "rlang")
    'rlang| checking for gcc... gcc'
    """
    return f"{package}| {printable(text)}" if package else printable(text)


def is_note(line: str) -> bool:
    """Return whether the author must not miss a line, even if the build succeeds."""
    return line.startswith(NOTE)
