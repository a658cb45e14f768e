"""The answer to a visitor's request. Pure."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from chalicelib.pages import Page, Templates


class Answer(NamedTuple):
    """An HTTP answer; a header may occur more than once."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    shown: Page | None = None
    """The page of Sheen's that this is; None if it is something else."""

    @classmethod
    def page(cls, page: Page) -> Self:
        """Return one of our pages as an answer."""
        return cls(page.status, tuple(page.headers.items()), page.html.encode(), page)

    def by(self, templates: Templates | None) -> Self:
        """Return the answer as an operator's templates show it, if they have its page."""
        page = self.shown.by(templates) if self.shown and templates else None
        if page is None or page is self.shown:
            return self
        policy = "content-security-policy"
        headers = tuple(
            (name, page.headers[policy] if name == policy else value)
            for name, value in self.headers
        )
        return self._replace(headers=headers, body=page.html.encode(), shown=page)

    @classmethod
    def text(cls, status: int, text: str, headers: Mapping[str, str] | None = None) -> Self:
        """Return an answer in plain text, which caches must not store."""
        return cls(
            status,
            (
                ("content-type", "text/plain; charset=utf-8"),
                ("cache-control", "no-store"),
                *(headers or {}).items(),
            ),
            text.encode(),
        )

    @classmethod
    def redirect(cls, url: str, status: int = 307) -> Self:
        """Return a redirect, which caches may store only if it is permanent."""
        stored = () if status in (301, 308) else (("cache-control", "no-store"),)
        return cls(status, (("location", url), *stored), b"")

    @classmethod
    def json(cls, status: int, value: Mapping[str, Any]) -> Self:
        """Return an answer in JSON, which caches must not store."""
        return cls(
            status,
            (("content-type", "application/json"), ("cache-control", "no-store")),
            json.dumps(value).encode(),
        )
