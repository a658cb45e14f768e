"""``sheen config check``: what a ``shiny-server.conf`` says, and what is wrong with it."""

from pathlib import Path

from chalicelib.configuration.shiny_server_conf import report
from chalicelib.configuration.shiny_server_conf.reading import LONGEST, read
from sheen.console import progress, say

_LONGEST_CHARACTER = 4
"""Bytes of a character in UTF-8."""


def check_config(path: Path) -> int:
    """Show the errors of a file, or else what becomes of it; return the exit status."""
    with path.open("rb") as file:
        content = file.read((LONGEST + 1) * _LONGEST_CHARACTER)
    # Shiny Server, too, goes on after bytes that are no UTF-8, which mostly are in comments.
    reading = read(content.decode(errors="replace"), str(path))
    for line in report.errors(reading):
        progress(line)
    if reading.errors:
        number = len(reading.errors)
        progress(f"sheen: {path}: {number} error{'' if number == 1 else 's'}; nothing is used")
        return 1
    for line in report.report(reading):
        say(line)
    say()
    for line in report.summary(reading):
        say(line)
    return 0
