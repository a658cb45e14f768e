"""What every page has in common: headers, and a template of the operator's or of Sheen's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from chalicelib.pages.handlebars import Values
from chalicelib.pages.lookup import OWN_NAMES, find
from chalicelib.pages.markup import sendable
from chalicelib.pages.replaced import Templates


class Draft(NamedTuple):
    """What a page shows, before a template makes HTML of it."""

    own: str
    """Sheen's template."""
    values: Values
    names: tuple[str, ...] = ()
    """The names under which an operator may replace the template, the most specific first."""
    script: str = ""
    """Sheen's template of the script by which the page goes on by itself; empty: it does not."""

    def encoded(self) -> str:
        """Return the draft as JSON."""
        return json.dumps(self._asdict())

    @classmethod
    def parse(cls, text: bytes) -> Draft:
        """Read what :meth:`encoded` returned; raise :class:`ValueError`."""
        match json.loads(text):
            case {"own": str(own), "values": dict(values), "names": list(names), **more}:
                script = str(more.get("script", ""))
                if own in OWN_NAMES and (not script or script in OWN_NAMES):
                    return cls(own, values, tuple(map(str, names)), script)
        raise ValueError("this is no draft of a page")


class Page(NamedTuple):
    """An answer: `html` goes out as UTF-8 with `headers`.

    The headers are content-type, cache-control (no-store), content-security-policy,
    referrer-policy, x-content-type-options, x-robots-tag, and retry-after where it applies.
    """

    status: int
    headers: Mapping[str, str]
    html: str
    draft: Draft

    def by(self, templates: Templates) -> Page:
        """Return the page as the operator's templates show it, if they have it."""
        _, values, names, script = self.draft
        going_on = find(f"{script}.html").template.fill(values) if names and script else ""
        filled = templates.fill(names, values, going_on)
        if filled is None:
            return self
        headers = {**self.headers, "content-security-policy": filled.policy}
        return self._replace(headers=headers, html=sendable(filled.html))


def make(status: int, draft: Draft, headers: Mapping[str, str] | None = None) -> Page:
    """Return the page that Sheen's own template makes of a draft."""
    found = find(f"{draft.own}.html")
    common = {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
        "content-security-policy": found.policy,
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
        "x-robots-tag": "noindex, nofollow",
    }
    html = sendable(found.template.fill(draft.values))
    return Page(status, {**common, **(headers or {})}, html, draft)
