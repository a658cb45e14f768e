"""Limits of DynamoDB's calls that moto does not enforce.

This module is pure.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from infra.emulator.aws_errors import AwsError

LONGEST_EXPRESSION = 4096
"""Limit in bytes of any one expression, as it is sent."""


def check(parameters: Mapping[str, Any]) -> None:
    """Check the parameters of a call; raise the :class:`AwsError` that DynamoDB returns."""
    for name, expression in _expressions(parameters):
        size = len(expression.encode())
        if size > LONGEST_EXPRESSION:
            why = (
                f"Invalid {name}: Expression size has exceeded the maximum allowed size; "
                f"expression size: {size}"
            )
            raise AwsError("ValidationException", why)


def _expressions(parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in parameters.items():
        if name.endswith("Expression") and isinstance(value, str):
            yield name, value
    for item in parameters.get("TransactItems", ()):
        for action in item.values():
            yield from _expressions(action)
