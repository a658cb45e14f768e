"""Fill a template's nodes with values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from chalicelib.pages.handlebars.nodes import (
    BadTemplate,
    Block,
    Expression,
    Literal,
    Node,
    Path,
    Show,
    Text,
    Value,
    Values,
)
from chalicelib.pages.handlebars.texts import as_text, escape

LARGEST = 4_000_000
"""A filled template has at most this many characters. Lists in lists would have no other bound."""


class _Scope(NamedTuple):
    value: Value
    outer: _Scope | None
    data: Mapping[str, Value]
    names: Mapping[str, Value]


class _Missing:
    """A value that is not there, as opposed to one that is None."""


_MISSING = _Missing()


def fill(name: str, nodes: Sequence[Node], values: Values, *, strict: bool) -> str:
    """Return `nodes` filled with `values`; `name` is the template's, for its errors."""
    filling = _Filling(name, strict)
    filling.nodes(nodes, _Scope(values, None, {"root": values}, {}))
    return "".join(filling.parts)


class _Filling:
    def __init__(self, name: str, strict: bool) -> None:
        self._name = name
        self._strict = strict
        self._size = 0
        self.parts: list[str] = []

    def nodes(self, nodes: Sequence[Node], scope: _Scope) -> None:
        for node in nodes:
            if isinstance(node, Text):
                self._put(node.shown)
            elif isinstance(node, Show):
                text = as_text(self._value(node.expression, scope))
                self._put(escape(text) if node.escaped else text)
            else:
                self._block(node, scope)

    def _put(self, text: str) -> None:
        self._size += len(text)
        if self._size > LARGEST:
            raise BadTemplate(
                f"template {self._name}: it makes a page of more than {LARGEST:,} characters; "
                "list less in it"
            )
        self.parts.append(text)

    def _block(self, block: Block, scope: _Scope) -> None:
        value = self._value(block.expression, scope)
        if block.helper in ("if", "unless"):
            shown = _holds(value) == (block.helper == "if")
            self.nodes(block.inner if shown else block.otherwise, scope)
        elif block.helper == "with":
            # Unlike `if`, `with` takes a zero.
            if _holds(value) or (value == 0 and value is not False):
                self.nodes(block.inner, _within(value, scope, {}, block.parameters))
            else:
                self.nodes(block.otherwise, scope)
        elif block.helper == "each" or _is_list(value):
            self._each(block, value, scope)
        elif value is True:
            self.nodes(block.inner, scope)
        elif value is None or value is False:
            self.nodes(block.otherwise, scope)
        else:
            self.nodes(block.inner, _within(value, scope, {}, block.parameters))

    def _each(self, block: Block, value: Value, scope: _Scope) -> None:
        items: list[tuple[Value, Value]] = []
        if isinstance(value, Mapping):
            items = list(value.items())
        elif isinstance(value, Sequence) and not isinstance(value, str):
            items = list(enumerate(value))
        if not items:
            self.nodes(block.otherwise, scope)
        for at, (key, item) in enumerate(items):
            data = {"key": key, "index": at, "first": at == 0, "last": at == len(items) - 1}
            self.nodes(block.inner, _within(item, scope, data, block.parameters, key))

    def _value(self, expression: Expression, scope: _Scope) -> Value:
        if isinstance(expression, Literal):
            return expression.value
        found = _look_up(expression, scope)
        if isinstance(found, _Missing):
            if self._strict:
                raise BadTemplate(f"template {self._name}: no value is named {expression.written}")
            return None
        return found


def _within(
    value: Value,
    scope: _Scope,
    data: Mapping[str, Value],
    parameters: tuple[str, ...],
    key: Value = None,
) -> _Scope:
    names = dict(scope.names)
    names.update(zip(parameters, (value, key), strict=False))
    # handlebars.js does not count a block as a level of `../` if its context is the one outside.
    outer = scope.outer if _same(value, scope.value) else scope
    return _Scope(value, outer, {**scope.data, **data}, names)


def _same(one: Value, other: Value) -> bool:
    if isinstance(one, Mapping) or _is_list(one):
        return one is other
    return type(one) is type(other) and one == other


def _look_up(path: Path, scope: _Scope) -> Value | _Missing:
    names = path.names
    value: Value | _Missing
    if path.data:
        value = scope.data.get(names[0], _MISSING)
        names = names[1:]
    elif path.up == 0 and names and names[0] in scope.names and path.written[0] not in ".[":
        value = scope.names[names[0]]
        names = names[1:]
    else:
        at: _Scope | None = scope
        for _ in range(path.up):
            at = at.outer if at else None
        value = at.value if at else _MISSING
    for name in names:
        value = _member(value, name)
    return value


def _member(value: Value | _Missing, name: str) -> Value | _Missing:
    if isinstance(value, Mapping):
        return value.get(name, _MISSING)
    if isinstance(value, str):
        return len(value) if name == "length" else _MISSING
    if isinstance(value, Sequence):
        if name == "length":
            return len(value)
        return value[int(name)] if name.isdecimal() and int(name) < len(value) else _MISSING
    return _MISSING


def _is_list(value: Value) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _holds(value: Value) -> bool:
    """Return what `if` makes of a value: an empty list does not hold, an empty mapping does."""
    return True if isinstance(value, Mapping) else bool(value)
