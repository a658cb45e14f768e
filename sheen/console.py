"""Write to the terminal: results on standard output, progress and errors on standard error."""

import sys
from collections.abc import Iterable, Sequence


def say(text: str = "") -> None:
    """Write one line of a result."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def progress(text: str) -> None:
    """Write one line about work in progress."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write rows under a head, in columns that are as wide as their content."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        say("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
