"""What a template consists of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from chalicelib.errors import Malformed

Value = str | int | float | bool | None | Sequence["Value"] | Mapping[str, "Value"]
Values = Mapping[str, Value]


class BadTemplate(Malformed):
    """A template cannot be read or filled. The message names the template, line and tag."""


class Path(NamedTuple):
    up: int
    data: bool
    names: tuple[str, ...]
    written: str


class Literal(NamedTuple):
    value: Value


Expression = Path | Literal


@dataclass
class Text:
    text: str
    """What the source has here. Standalone tags are judged by it."""
    left: int = 0
    right: int = 0
    """How many characters are stripped at either end."""

    @property
    def shown(self) -> str:
        return self.text[self.left : len(self.text) - self.right]


@dataclass
class Show:
    expression: Expression
    escaped: bool


@dataclass
class Block:
    helper: str
    """One of `_HELPERS`, or "section"."""
    expression: Expression
    parameters: tuple[str, ...] = ()
    inner: list[Node] = field(default_factory=list)
    otherwise: list[Node] = field(default_factory=list)


Node = Text | Show | Block
