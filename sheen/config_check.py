"""``sheen config check``: what a ``shiny-server.conf`` says, and what is wrong with it."""

import os
from pathlib import Path

from chalicelib.configuration.shiny_server_conf import report
from chalicelib.configuration.shiny_server_conf.model import Configuration
from chalicelib.configuration.shiny_server_conf.reading import LONGEST, Reading, read
from sheen import deployment
from sheen.aws_errors import AWS_ERRORS, sentence
from sheen.console import progress, say

_LONGEST_CHARACTER = 4
"""Bytes of a character in UTF-8."""


def check_config(path: Path) -> int:
    """Show the errors of a file, or else what becomes of it; return the exit status.

    If a deployment is at hand, say also what becomes of the apps that are published there.
    """
    with path.open("rb") as file:
        content = file.read((LONGEST + 1) * _LONGEST_CHARACTER)
    # Shiny Server, too, goes on after bytes that are no UTF-8, which mostly are in comments.
    reading = read(content.decode(errors="replace"), str(path))
    if not show_report(reading, path):
        return 1
    if reading.configuration is not None:
        _show_published(reading.configuration)
    return 0


def show_report(reading: Reading, path: Path) -> bool:
    """Show the errors of a file and return False, or show what becomes of it and return True."""
    for line in report.errors(reading):
        progress(line)
    if reading.errors:
        number = len(reading.errors)
        progress(f"sheen: {path}: {number} error{'' if number == 1 else 's'}; nothing is used")
        return False
    for line in report.report(reading):
        say(line)
    say()
    for line in report.summary(reading):
        say(line)
    return True


def _show_published(configuration: Configuration) -> None:
    from chalicelib.applying.effects import fates
    from chalicelib.apps import store as apps

    if "SHEEN_BUCKET" not in os.environ and not deployment.is_here():
        return
    try:
        deployment.use()
        lines = fates(configuration, apps.everywhere())
    except AWS_ERRORS as error:
        progress(f"sheen: what is published was not looked at: {sentence(error)}")
        return
    if lines:
        say()
        say("what is published:")
    for location, words in lines:
        for line in report.wrapped(f"  {location}  {words}", 8):
            say(line)
