"""Reads a ``shiny-server.conf`` in all steps. Pure."""

from dataclasses import dataclass

from chalicelib.configuration.shiny_server_conf.check import check
from chalicelib.configuration.shiny_server_conf.findings import Finding, Position
from chalicelib.configuration.shiny_server_conf.model import Configuration
from chalicelib.configuration.shiny_server_conf.parser import parse
from chalicelib.configuration.shiny_server_conf.rules import check_rules
from chalicelib.configuration.shiny_server_conf.scopes import arrange
from chalicelib.configuration.shiny_server_conf.site import build
from chalicelib.configuration.shiny_server_conf.use import Use
from chalicelib.configuration.shiny_server_conf.warnings import warn

LONGEST = 1_000_000
"""The most characters of a file."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file says, and what there is to tell about it."""

    configuration: Configuration | None
    """None if there are errors."""
    uses: tuple[Use, ...]
    """The directives as they stand in the file."""
    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]


def read(text: str, file: str) -> Reading:
    """Read a file's text; ``file`` is its name in positions. All errors are found at once."""
    if len(text) > LONGEST:
        message = f"the file has {len(text):,} characters; at most {LONGEST:,} are read"
        return Reading(None, (), (Finding(Position(file, 1, 1), message),), ())
    tree = parse(text, file)
    checked = check(tree)
    top = arrange(checked.uses)
    # After a text that was not read to its end, "nothing is there" says nothing.
    rules = check_rules(top) if tree.whole else ()
    errors = tuple(sorted([*checked.errors, *rules], key=lambda error: error.position))
    configuration = None if errors else build(top, file)
    warnings = sorted(warn(top, configuration), key=lambda warning: warning.position)
    return Reading(configuration, checked.uses, errors, tuple(warnings))
