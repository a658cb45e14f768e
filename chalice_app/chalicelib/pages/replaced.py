"""Pages of an operator's own: the templates in a folder of `template_dir`.

Names and rule are Shiny Server's: for the page ``error-503-users``, the first of
``error-503-users.html``, ``error-503.html`` and ``error.html`` is taken, and otherwise Sheen's own
page. docs/operator.md lists the pages and their values.

A page that goes on by itself needs a script of Sheen's. A template puts it where it writes
``{{{sheen_head}}}``. Without that, it is put at the end of the head.
"""

from __future__ import annotations

import html
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from chalicelib.errors import Malformed
from chalicelib.pages.handlebars import BadTemplate, Template, Values
from chalicelib.pages.handlebars.nodes import Block, Node, Path, Show, Text
from chalicelib.pages.lookup import hashed, inline_hashes

PAGES = ("error", "directoryIndex", "login", "waiting", "queue", "busy")
"""What the name of a page begins with. Other files in the folder are no templates of Sheen's."""
SCRIPT = "sheen_head"
"""The value that is the script of a page that goes on by itself."""
LARGEST = 500_000
"""Characters of a template."""

_NONCE = "sheen_nonce"
_SCRIPT_TAG = re.compile(r"(<script\b)", re.IGNORECASE)
_END_OF_HEAD = re.compile(r"</head\s*>", re.IGNORECASE)
_HANDLER = re.compile(r"""\son[a-z]+\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_SCRIPT_URL = re.compile(
    r"""\s(?:href|action)\s*=\s*(?:"(javascript:[^"]*)"|'(javascript:[^']*)')""", re.IGNORECASE
)


class Filled(NamedTuple):
    """A page, and its Content-Security-Policy."""

    html: str
    policy: str


def new_nonce() -> str:
    """Return a word that nobody can guess; each page gets its own."""
    return secrets.token_urlsafe(16)


class Templates:
    """The templates of one folder, by name without ``.html``."""

    def __init__(self, sources: Mapping[str, str], nonce: Callable[[], str] = new_nonce) -> None:
        self._sources = sources
        self._nonce = nonce
        self._read: dict[str, _Replacement] = {}

    def fill(self, pages: Sequence[str], values: Values, script: str = "") -> Filled | None:
        """Return the first of ``pages`` that the folder has, or None if Sheen's own is to be shown.

        ``script`` is the HTML of :data:`SCRIPT`. A template that fails makes way for Sheen's own.
        """
        name = next((name for page in pages for name in names(page) if name in self._sources), None)
        if name is None:
            return None
        try:
            if name not in self._read:
                self._read[name] = _Replacement(f"{name}.html", self._sources[name])
            return self._read[name].fill(values, script, self._nonce())
        except BadTemplate:
            return None


def names(page: str) -> Iterator[str]:
    """Return the names under which a page's template is looked for.

    >>> list(names("error-503-users"))
    ['error-503-users', 'error-503', 'error']
    """
    while page:
        yield page
        page = page.rpartition("-")[0]


def faults(sources: Mapping[str, str], folder: str = "") -> list[str]:
    """Return what is wrong with the templates of a folder: its template, line and reason each."""
    found: list[str] = []
    for name, source in sorted(sources.items()):
        if name.partition("-")[0] not in PAGES:
            continue
        try:
            _Replacement(f"{folder}/{name}.html" if folder else f"{name}.html", source)
        except Malformed as error:
            found.append(str(error))
    return found


class _Replacement:
    def __init__(self, name: str, source: str) -> None:
        if len(source) > LARGEST:
            raise BadTemplate(
                f"template {name}: it has {len(source):,} characters; at most {LARGEST:,} are "
                "read: put images into files of their own"
            )
        self._template = Template(name, source, around=_with_nonces)
        self._has_script = SCRIPT in source
        self._inline = sorted(
            {
                hashed(html.unescape(each))
                for pattern in (_HANDLER, _SCRIPT_URL)
                for pair in pattern.findall(source)
                for each in pair
                if each
            }
        )

    def fill(self, values: Values, script: str, nonce: str) -> Filled:
        text = self._template.fill({**values, SCRIPT: script, _NONCE: nonce})
        if script and not self._has_script:
            text = _with_script(text, script)
        return Filled(text, self._policy(script, nonce))

    def _policy(self, script: str, nonce: str) -> str:
        """Return a policy by which the page loads what it likes, and runs only its own scripts.

        A script is the page's own if its tag is in the template, whatever its text or URL is. What
        a value brings along is not.
        """
        scripts = [f"'nonce-{nonce}'", "'strict-dynamic'", *inline_hashes(script)["script"]]
        if self._inline:
            scripts += ["'unsafe-hashes'", *self._inline]
        return "; ".join(
            [
                "default-src 'self' http: https: data:",
                f"script-src {' '.join(scripts)}",
                "style-src 'self' 'unsafe-inline' http: https:",
                "object-src 'none'",
                "base-uri 'none'",
                "form-action 'self'",
            ]
        )


def _with_nonces(nodes: Sequence[Node]) -> list[Node]:
    """Return a template's nodes, in which each script of the template shows the nonce."""
    found: list[Node] = []
    for node in nodes:
        if isinstance(node, Block):
            inner, otherwise = _with_nonces(node.inner), _with_nonces(node.otherwise)
            found.append(Block(node.helper, node.expression, node.parameters, inner, otherwise))
        elif isinstance(node, Text):
            for part in _SCRIPT_TAG.split(node.shown):
                found.append(Text(part))
                if _SCRIPT_TAG.fullmatch(part):
                    found += [Text(' nonce="'), Show(_NONCE_PATH, escaped=True), Text('"')]
        else:
            found.append(node)
    return found


_NONCE_PATH = Path(0, True, ("root", _NONCE), f"@root.{_NONCE}")


def _with_script(text: str, script: str) -> str:
    end = _END_OF_HEAD.search(text)
    at = end.start() if end else len(text)
    return text[:at] + script + text[at:]
