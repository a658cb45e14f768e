"""Evaluate policy documents like IAM.

A denied need is denied, and a need that no statement allows is not allowed. This module knows what
the declared roles use, and refuses to read a statement that it cannot evaluate
(:class:`CannotJudge`). It is pure.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple

from infra.emulator.errors import EmulatorError

_ARN_PARTS = 6


class CannotJudge(EmulatorError):
    """A statement has a part that this evaluator does not know."""


@dataclass(frozen=True, slots=True)
class NeededRight:
    """One thing that a call must be allowed."""

    action: str
    """``service:Name``."""
    resource: str
    """An ARN, or ``*`` for an action without resources."""
    context: Mapping[str, str] = field(default_factory=dict)
    """Condition keys and their values."""


class PolicyVerdict(Enum):
    """The result of an evaluation."""

    ALLOWED = "allowed"
    DENIED = "explicit deny"
    NOT_ALLOWED = "implicit deny"


class Decision(NamedTuple):
    """A verdict, and the statement that led to it, or None if there is none."""

    verdict: PolicyVerdict
    sid: str | None


class Policy:
    """A policy document, read once."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Read a document; raise :class:`CannotJudge` for a part that is not known here."""
        self._statements = tuple(
            _Statement(statement) for statement in _listed(document["Statement"])
        )

    def decide(self, need: NeededRight) -> Decision:
        """Evaluate one need."""
        allowed: Decision | None = None
        for statement in self._statements:
            if statement.applies(need):
                if not statement.allows:
                    return Decision(PolicyVerdict.DENIED, statement.sid)
                allowed = allowed or Decision(PolicyVerdict.ALLOWED, statement.sid)
        return allowed or Decision(PolicyVerdict.NOT_ALLOWED, None)


def actions_of(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the actions of a policy document, each with the Sid of its statement."""
    return [
        (statement["Sid"], action)
        for statement in document["Statement"]
        for action in _listed(statement["Action"])
    ]


class _Statement:
    _KNOWN = frozenset({"Sid", "Effect", "Action", "Resource", "Condition"})

    def __init__(self, document: Mapping[str, Any]) -> None:
        if unknown := document.keys() - self._KNOWN:
            raise CannotJudge(
                f"statement {document.get('Sid')}: {', '.join(sorted(unknown))} is not "
                "known to infra/emulator/rights/policy.py"
            )
        self.sid = str(document.get("Sid", ""))
        self.allows = document["Effect"] == "Allow"
        self._actions = tuple(_listed(document["Action"]))
        self._resources = tuple(_listed(document["Resource"]))
        if variables := [resource for resource in self._resources if "${" in resource]:
            raise CannotJudge(
                f"statement {self.sid}: policy variables are not known to "
                f"infra/emulator/rights/policy.py: {variables[0]}"
            )
        self._conditions = tuple(
            _condition(operator, key, tuple(_listed(values)))
            for operator, keys in document.get("Condition", {}).items()
            for key, values in keys.items()
        )

    def applies(self, need: NeededRight) -> bool:
        return (
            any(matches(pattern.lower(), need.action.lower()) for pattern in self._actions)
            and any(arn_matches(pattern, need.resource) for pattern in self._resources)
            and all(condition(need.context) for condition in self._conditions)
        )


def matches(pattern: str, text: str) -> bool:
    """Return whether ``text`` matches a pattern: ``*`` is any characters, ``?`` is one."""
    return _compiled(pattern).fullmatch(text) is not None


def arn_matches(pattern: str, arn: str) -> bool:
    """Return whether an ARN matches a pattern.

    A wildcard does not match the colons between an ARN's first five parts.
    """
    if pattern == "*":
        return True
    patterns, parts = pattern.split(":", _ARN_PARTS - 1), arn.split(":", _ARN_PARTS - 1)
    return len(patterns) == len(parts) and all(map(matches, patterns, parts))


@lru_cache(maxsize=2048)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(
        "".join(
            {"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern
        ),
        re.DOTALL,
    )


_POSITIVE: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, found: wanted == found,
    "StringLike": matches,
    "ArnEquals": arn_matches,  # IAM treats both alike
    "ArnLike": arn_matches,
    "Bool": lambda wanted, found: wanted.lower() == found.lower(),
}
_NEGATIVE = {
    "StringNotEquals": "StringEquals",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}


def _condition(
    operator: str, key: str, wanted: tuple[str, ...]
) -> Callable[[Mapping[str, str]], bool]:
    """Return a function that tests a context against a condition.

    The condition requires one of the wanted values, or none of them.
    """
    if_exists = operator.endswith("IfExists")
    name = operator.removesuffix("IfExists")
    negative = name in _NEGATIVE
    fits = _POSITIVE.get(_NEGATIVE.get(name, name))
    if fits is None:
        raise CannotJudge(
            f"condition operator {operator} is not known to infra/emulator/rights/policy.py"
        )

    def holds(context: Mapping[str, str]) -> bool:
        found = context.get(key)
        if found is None:
            return if_exists or negative
        return negative != any(fits(value, found) for value in wanted)

    return holds


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else [value]
