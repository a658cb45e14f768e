"""Limits of DynamoDB's calls that moto does not know. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from infra.local.aws_errors import AwsError

LONGEST_EXPRESSION = 4096
"""Bytes of any one expression, as it is sent."""


def check(parameters: Mapping[str, Any]) -> None:
    """Return, or raise the :class:`AwsError` that DynamoDB answers a call with these parameters with."""
    for name, expression in _expressions(parameters):
        size = len(expression.encode())
        if size > LONGEST_EXPRESSION:
            why = f"Invalid {name}: Expression size has exceeded the maximum allowed size; expression size: {size}"
            raise AwsError("ValidationException", why)


def _expressions(parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in parameters.items():
        if name.endswith("Expression") and isinstance(value, str):
            yield name, value
    for item in parameters.get("TransactItems", ()):
        for action in item.values():
            yield from _expressions(action)
