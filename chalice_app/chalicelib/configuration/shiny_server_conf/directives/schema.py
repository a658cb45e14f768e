"""The columns of the table of directives. Pure."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from chalicelib.configuration.shiny_server_conf.directives.types import Type


class Scope(Enum):
    """Where a directive may stand: at the top level, or in the block of another directive."""

    TOP = "top level"
    SERVER = "server"
    LOCATION = "location"
    ADMIN = "admin"
    LDAP = "auth_ldap"
    ACTIVE_DIR = "auth_active_dir"
    SSL = "ssl"


TOP = frozenset({Scope.TOP})
SERVER = frozenset({Scope.SERVER})
LOCATION = frozenset({Scope.LOCATION})
ANYWHERE = TOP | SERVER | LOCATION
"""The scopes that inherit from each other."""
DIRECTORY = frozenset({Scope.LDAP, Scope.ACTIVE_DIR})


class Edition(Enum):
    """Which edition of Shiny Server knows a directive."""

    BOTH = "both"
    PRO = "Professional"


class Verdict(Enum):
    """What becomes of a directive here."""

    HONOURED = "honoured"
    MAPPED = "mapped"
    NO_EFFECT = "no effect"
    CLOSES = "closes"
    """Sign-in: a location that needs it is closed to everybody."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of a directive here, and to what it is mapped, or why it has no effect."""

    verdict: Verdict
    text: str = ""

    def __str__(self) -> str:
        return self.verdict.value + (f": {self.text}" if self.text else "")


class Need(Enum):
    """Whether an argument must be there."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    ANY_NUMBER = "any number"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a directive."""

    name: str
    type: Type
    need: Need
    default: Any = None
    """Value of an optional parameter when the directive is there without it; None: no value."""

    def __str__(self) -> str:
        match self.need:
            case Need.REQUIRED:
                return self.name
            case Need.OPTIONAL if self.default is None:
                return f"[{self.name}]"
            case Need.OPTIONAL:
                return f"[{self.name}={self.type.write(self.default)}]"
            case Need.ANY_NUMBER:
                return f"[{self.name} …]"


def required(name: str, type: Type) -> Parameter:
    return Parameter(name, type, Need.REQUIRED)


def optional(name: str, type: Type, default: Any = None) -> Parameter:
    return Parameter(name, type, Need.OPTIONAL, default)


def any_number(name: str, type: Type) -> Parameter:
    return Parameter(name, type, Need.ANY_NUMBER)


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive: how it is written, where it may stand, and what becomes of it here."""

    name: str
    scopes: frozenset[Scope]
    answer: Answer
    parameters: tuple[Parameter, ...] = ()
    """The required ones first, then the optional ones, then at most one of any number."""
    block: Scope | None = None
    """The scope inside its block; None: it takes no block."""
    block_required: bool = False
    edition: Edition = Edition.BOTH
    since: str = ""
    """The first version of Shiny Server that has it; empty: not known, or always."""
    inherited: bool = True
    """Whether it holds for the blocks below, unless a nearer one replaces it."""
    repeatable: bool = False
    """Whether it may stand more than once in a scope."""
    first_wins: bool = False
    """Whether Shiny Server silently ignores all but the first in a scope."""
    excludes: frozenset[str] = frozenset()
    """Directives that may not stand in the same scope."""
    setting: str = ""
    """The setting of an app that it sets; empty: none."""
    in_app_file: bool = False
    """Whether ``.shiny_app.conf`` may have it."""

    @property
    def fewest(self) -> int:
        """The least number of arguments."""
        return sum(parameter.need is Need.REQUIRED for parameter in self.parameters)

    @property
    def most(self) -> int | None:
        """The largest number of arguments; None: any number."""
        if any(parameter.need is Need.ANY_NUMBER for parameter in self.parameters):
            return None
        return len(self.parameters)

    @property
    def synopsis(self) -> str:
        """The name with its parameters, as a reference shows it."""
        words = " ".join([self.name, *map(str, self.parameters)])
        return f"{words} {{ }}" if self.block is not None else words


def honoured(text: str = "") -> Answer:
    return Answer(Verdict.HONOURED, text)


def mapped(text: str) -> Answer:
    return Answer(Verdict.MAPPED, text)


def no_effect(why: str) -> Answer:
    return Answer(Verdict.NO_EFFECT, why)


def closes(text: str) -> Answer:
    return Answer(Verdict.CLOSES, text)
