"""A directive as one place of a file uses it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.configuration.shiny_server_conf.directives.schema import Directive
from chalicelib.configuration.shiny_server_conf.findings import Position
from chalicelib.configuration.shiny_server_conf.lexer import Token


@dataclass(frozen=True, slots=True)
class Use:
    """A directive with its arguments and its block."""

    directive: Directive
    position: Position
    arguments: tuple[Token, ...]
    values: Mapping[str, Any]
    """Value of each parameter, by name; a parameter of any number has a tuple."""
    children: tuple["Use", ...]
    valid: bool
    """Whether nothing is wrong with the directive itself."""

    @property
    def name(self) -> str:
        return self.directive.name

    @property
    def words(self) -> str:
        """The directive with its arguments, as the file has it, without its block."""
        return " ".join([self.name, *(_written(token) for token in self.arguments)])


def _written(token: Token) -> str:
    if token.text and not token.quoted:
        return token.text
    escaped = token.text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
