"""How API Gateway changes headers between a client and a Lambda function.

The source is the table in "Amazon API Gateway important notes" of AWS's documentation, its column
for Lambda.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

Pairs = Iterable[tuple[str, str]]

_NOT_TO_FUNCTION = frozenset(
    {
        "connection",
        "content-md5",
        "expect",
        "keep-alive",
        "max-forwards",
        "proxy-authenticate",
        "server",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "www-authenticate",
    }
)
_NOT_TO_CLIENT = frozenset(
    {
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
    }
)
_RENAMED_TO_CLIENT = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "content-md5",
        "date",
        "max-forwards",
        "server",
        "user-agent",
        "www-authenticate",
    }
)
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NOT_IN_VALUE = re.compile(r"[\r\n\0]")


def to_function(headers: Pairs) -> list[tuple[str, str]]:
    """Return the client's headers that a function gets."""
    return [
        (name, value)
        for name, value in headers
        if name.lower() not in _NOT_TO_FUNCTION
        and not (name.lower() == "authorization" and value.startswith("AWS4-HMAC-SHA256"))
    ]


def to_client(headers: Pairs) -> list[tuple[str, str]]:
    """Return a function's headers that the client gets.

    Some are dropped, some renamed to `x-amzn-Remapped-...`.
    """
    answer = []
    for name, value in headers:
        lower = name.lower()
        if lower in _RENAMED_TO_CLIENT:
            answer.append((f"x-amzn-Remapped-{name}", value))
        elif lower not in _NOT_TO_CLIENT:
            answer.append((name, value))
    return answer


def grouped(pairs: Pairs, *, ignore_case: bool) -> dict[str, list[str]]:
    """Return all values by name, under the first spelling of the name."""
    spelling: dict[str, str] = {}
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(
            spelling.setdefault(name.lower() if ignore_case else name, name), []
        ).append(value)
    return values


def usable(name: str, value: str) -> bool:
    """Return whether HTTP can carry this header."""
    return _NAME.fullmatch(name) is not None and _NOT_IN_VALUE.search(value) is None
