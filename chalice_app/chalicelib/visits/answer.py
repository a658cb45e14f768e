"""What a visitor gets back. Pure."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self

from chalicelib.pages import Page

_NOT_PASSED = frozenset(
    {
        "connection",
        "content-length",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that belong to one hop (RFC 9110, 7.6.1), and the length, which is counted anew."""

_OURS = ("sheen-", "shiny-server-credentials", "shiny-shared-secret")
"""Headers by which R and the agent know us (FACTS S2); no visitor may send them, and none needs to see them."""


class Answer(NamedTuple):
    """An HTTP answer; a header may come more than once."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @classmethod
    def page(cls, page: Page) -> Self:
        """One of our pages."""
        return cls(page.status, tuple(page.headers.items()), page.html.encode())

    @classmethod
    def text(cls, status: int, text: str, headers: Mapping[str, str] | None = None) -> Self:
        """Plain text, never stored."""
        return cls(
            status, (("content-type", "text/plain; charset=utf-8"), ("cache-control", "no-store"), *(headers or {}).items()), text.encode()
        )

    @classmethod
    def json(cls, status: int, value: Mapping[str, Any]) -> Self:
        """JSON, never stored."""
        return cls(status, (("content-type", "application/json"), ("cache-control", "no-store")), json.dumps(value).encode())


def passed_on(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The headers that go on to the other side, either way: no hop-by-hop ones, none that are ours."""
    every = [(name, value) for name, value in headers if not name.lower().startswith(_OURS)]
    named = {token.strip().lower() for name, value in every if name.lower() == "connection" for token in value.split(",")}
    dropped = _NOT_PASSED | named
    return tuple((name, value) for name, value in every if name.lower() not in dropped)
