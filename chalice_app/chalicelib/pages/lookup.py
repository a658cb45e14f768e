"""Find Sheen's own templates by file name, and the policy of what each may run.

An operator's templates come before these: see :mod:`chalicelib.pages.replaced`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from chalicelib.pages.handlebars import Template
from chalicelib.pages.markup import include

OWN = Path(__file__).parent / "templates"

OWN_NAMES = frozenset(path.stem for path in OWN.glob("*.html"))

_INLINE = re.compile(r"<(style|script)\b[^>]*>(.*?)</\1>", re.DOTALL)


class Found(NamedTuple):
    """A template, and the Content-Security-Policy that runs only its own style and script."""

    template: Template
    policy: str


@cache
def find(name: str) -> Found:
    """Return the template in the file `name`; it misses no value that it shows."""
    template = Template(name, include(_read(name), _read), strict=True)
    return Found(template, policy(template.source))


def _read(name: str) -> str:
    return (OWN / name).read_text("utf-8")


def policy(source: str) -> str:
    """Return a page's Content-Security-Policy.

    It allows the page's own style and script by hash, requests to its own host, and images as data
    URLs.
    """
    hashes = inline_hashes(source)
    none = ["'none'"]
    return "; ".join(
        [
            "default-src 'none'",
            f"style-src {' '.join(hashes['style'] or none)}",
            f"script-src {' '.join(hashes['script'] or none)}",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'self'",
        ]
    )


def inline_hashes(source: str) -> dict[str, list[str]]:
    """Return the sources of a policy that allow a page's own style and script, by element."""
    hashes: dict[str, list[str]] = {"style": [], "script": []}
    for kind, body in _INLINE.findall(source):
        hashes[kind].append(hashed(body))
    return hashes


def hashed(text: str) -> str:
    """Return the source of a policy that allows exactly this inline text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
