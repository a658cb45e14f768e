"""Checks each directive of a tree against the table, and reads its arguments. Pure.

All errors are found at once. What follows from several directives together is checked in
:mod:`chalicelib.configuration.shiny_server_conf.rules`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.configuration.shiny_server_conf.directives.schema import (
    Directive,
    Need,
    Parameter,
    Scope,
)
from chalicelib.configuration.shiny_server_conf.directives.table import (
    DIRECTIVES,
    exclude_each_other,
)
from chalicelib.configuration.shiny_server_conf.findings import Finding, Position
from chalicelib.configuration.shiny_server_conf.lexer import Token
from chalicelib.configuration.shiny_server_conf.parser import End, Node, Tree
from chalicelib.configuration.shiny_server_conf.repair import separate
from chalicelib.configuration.shiny_server_conf.spelling import quoted, unknown
from chalicelib.configuration.shiny_server_conf.use import Use


@dataclass(frozen=True, slots=True)
class Checked:
    """The directives of a file, and what is wrong with them."""

    uses: tuple[Use, ...]
    errors: tuple[Finding, ...]


def check(tree: Tree) -> Checked:
    """Check all directives of a file."""
    checker = _Checker(tree)
    uses = checker.block(tree.nodes, Scope.TOP)
    errors = sorted([*tree.errors, *checker.errors], key=lambda error: error.position)
    return Checked(uses, tuple(errors))


MOST_ARGUMENTS = 1000
"""The most arguments of a directive, so that the rules may go through them for each location."""
_MOST_SUGGESTIONS = 50
"""A search for the likely name takes a millisecond, so only the first unknown names get one."""


class _Checker:
    def __init__(self, tree: Tree) -> None:
        self.whole = tree.whole
        self.errors: list[Finding] = []
        self.unknown = 0
        self.last_server = next(
            (node.end_line for node in reversed(tree.nodes) if node.name.text == "server"), None
        )

    def error(self, position: Position, text: str) -> None:
        self.errors.append(Finding(position, text))

    def block(self, nodes: Sequence[Node], scope: Scope) -> tuple[Use, ...]:
        """Check the directives of one block."""
        uses: list[Use] = []
        names: dict[str, Use] = {}
        for node in self.parts(nodes):
            use = self.node(node, scope)
            if use is None:
                continue
            uses.append(use)
            first = names.setdefault(use.name, use)
            if first is not use and not use.directive.repeatable:
                self.error(
                    use.position,
                    f"{use.name} stands twice in this scope, first on line {first.position.line};"
                    " keep one",
                )
        self.exclusions(list(names.values()))
        return tuple(uses)

    def exclusions(self, uses: Sequence[Use]) -> None:
        for index, later in enumerate(uses):
            for earlier in uses[:index]:
                if exclude_each_other(earlier.name, later.name):
                    self.error(
                        later.position,
                        f"{later.name} and {earlier.name} (line {earlier.position.line})"
                        " exclude each other in one scope; keep one",
                    )

    def parts(self, nodes: Sequence[Node]) -> Iterator[Node]:
        """Yield the directives; report and repair each missing ``;``."""
        for node in nodes:
            parts = separate(node)
            for part, following in zip(parts, [*parts[1:], None], strict=True):
                if following is not None:
                    self.error(
                        part.position,
                        f"{quoted(part.name.text)} is not closed: a ; is missing before"
                        f" {quoted(following.name.text)} on line {following.position.line}",
                    )
                self.ending(part)
                yield part

    def ending(self, node: Node) -> None:
        name = quoted(node.name.text)
        if node.end is End.BRACE:
            self.error(
                node.position,
                f"{name} is not closed: a ; is missing before the }} on line {node.end_line}",
            )
        elif node.end is End.FILE and self.whole:
            self.error(node.position, f"{name} is not closed: a ; is missing at the file's end")
        elif node.end is End.OPEN_BLOCK and self.whole:
            self.error(node.position, f"the block of {name} is never closed: a }} is missing")

    def node(self, node: Node, scope: Scope) -> Use | None:
        """Check one directive and its block; return None if nobody knows it."""
        before = len(self.errors)
        directive = DIRECTIVES.get(node.name.text)
        if directive is None:
            self.unknown += 1
            suggest = self.unknown <= _MOST_SUGGESTIONS
            text, meant = unknown(node.name.text, scope, suggest=suggest)
            self.error(node.position, text)
            if meant is None:
                return None
            directive = meant
        if scope not in directive.scopes:
            self.error(node.position, self.misplaced(directive, scope))
        values = self.values(directive, node)
        if node.has_block and directive.block is None:
            self.error(node.position, f"{directive.name} has no block; end it with ;")
        elif directive.block_required and node.end is End.SEMICOLON:
            self.error(node.position, f"{directive.name} needs a block in {{ }}")
        valid = len(self.errors) == before
        inside = directive.block or scope
        return Use(
            directive,
            node.position,
            node.arguments,
            values,
            self.block(node.children, inside),
            valid,
        )

    def misplaced(self, directive: Directive, scope: Scope) -> str:
        allowed = " or ".join(
            "at the top level" if place is Scope.TOP else f"in {place.value} {{ }}"
            for place in Scope
            if place in directive.scopes
        )
        here = "at the top level" if scope is Scope.TOP else f"in {scope.value}"
        text = f"{directive.name} cannot stand {here}; it belongs {allowed}"
        if directive.name == "location" and scope is Scope.TOP and self.last_server is not None:
            text += f"; the last server closes on line {self.last_server}"
        return text

    def values(self, directive: Directive, node: Node) -> dict[str, Any]:
        """Read the arguments, and report those that are missing, too many or wrong."""
        count = len(node.arguments)
        if count < directive.fewest:
            missing = " ".join(
                parameter.name for parameter in directive.parameters[count : directive.fewest]
            )
            self.error(
                node.position, f"{directive.name} lacks {missing}; it is {directive.synopsis}"
            )
        elif count > MOST_ARGUMENTS:
            self.error(
                node.position,
                f"{directive.name} has {count:,} arguments; at most {MOST_ARGUMENTS:,} are read",
            )
        elif directive.most is not None and count > directive.most:
            surplus = quoted(node.arguments[directive.most].text)
            hint = (
                "; a location is a literal path, without patterns"
                if directive.name == "location"
                else ""
            )
            self.error(
                node.position,
                f"{directive.name} has too many arguments from {surplus} on; it is"
                f" {directive.synopsis}{hint}",
            )
        values: dict[str, Any] = {}
        for index, parameter in enumerate(directive.parameters):
            if parameter.need is Need.ANY_NUMBER:
                read = [self.value(directive, parameter, token) for token in node.arguments[index:]]
                values[parameter.name] = tuple(value for value in read if value is not None)
            elif index < count:
                values[parameter.name] = self.value(directive, parameter, node.arguments[index])
            else:
                values[parameter.name] = parameter.default
        return values

    def value(self, directive: Directive, parameter: Parameter, token: Token) -> Any:
        try:
            return parameter.type.read(token.text)
        except ValueError:
            self.error(
                token.position,
                f"{parameter.name} of {directive.name} is {quoted(token.text)}; it must be"
                f" {parameter.type.words}",
            )
            return None
