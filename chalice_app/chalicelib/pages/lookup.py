"""Find templates by file name, and the policy of what each may run.

The caller names a page's templates, the most specific first: `error-404.html`, then `error.html`.
All names are tried in one folder before the next folder is searched. So an operator's own folder,
put before this package's, replaces the templates that it contains (`template_dir`).
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from chalicelib.pages.markup import BadTemplate, Template, include

OWN = Path(__file__).parent / "templates"

_INLINE = re.compile(r"<(style|script)>(.*?)</\1>", re.DOTALL)


class Found(NamedTuple):
    """A template, and the Content-Security-Policy that runs only its own style and script."""

    template: Template
    policy: str


@cache
def find(*names: str, folders: tuple[Path, ...] = (OWN,)) -> Found:
    """Return the first of `names` in the first of `folders` that has one; the result is cached.

    Raise :class:`BadTemplate` if no folder has one.
    """
    for folder in folders:
        for name in names:
            path = folder / name
            if path.is_file():
                template = Template(name, include(path.read_text("utf-8"), _read_own))
                return Found(template, policy(template.source))
    looked = ", ".join(map(str, folders))
    raise BadTemplate(f"template {names[0]}: not found in {looked}; put a file of that name there")


def _read_own(part: str) -> str:
    return (OWN / part).read_text("utf-8")


def policy(source: str) -> str:
    """Return a page's Content-Security-Policy.

    It allows the page's own style and script by hash, requests to its own host, and images as data
    URLs.
    """
    hashes: dict[str, list[str]] = {"style": [], "script": []}
    for kind, body in _INLINE.findall(source):
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        hashes[kind].append(f"'sha256-{digest}'")
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
