"""A small part of Mustache: templates in which every value is escaped, always.

::

    {{name}}                 the value, escaped for text and quoted attributes; never raw HTML
    {{#name}} … {{/name}}    once if the value is true; once for each item of a sequence of mappings
    {{^name}} … {{/name}}    once if the value is false or empty
    {{> file.css}}           another file, put in before anything else

Values belong in text and in quoted attributes, never inside `<script>` or `<style>`. A value that a
script needs goes into a `data-` attribute. A URL also needs :func:`safe_url`, because `javascript:`
needs no quote to do harm.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from chalicelib.errors import Malformed

Value = str | int | bool | None | Sequence[Mapping[str, "Value"]]
Values = Mapping[str, Value]

_PARTIAL = re.compile(r"\{\{>\s*([\w.-]+)\s*\}\}")
_TAG = re.compile(r"\{\{\s*([#^/]?)\s*(\w+)\s*\}\}")
_CONTROLS = re.compile(r"[\x00-\x20\x7f]")
_ABSOLUTE = re.compile(r"https?://[^/\\]", re.IGNORECASE)
_COLON_FIRST = re.compile(r"[^/?#]*:")


class BadTemplate(Malformed):
    """A template cannot be read or filled. The message names the template and the tag."""


class _Variable(NamedTuple):
    name: str


class _Section(NamedTuple):
    name: str
    inverted: bool
    inner: list[_Node]


_Node = str | _Variable | _Section


class Template:
    """One template, parsed once and filled many times."""

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.source = source
        self._nodes = self._parse(source)

    def fill(self, values: Values) -> str:
        """Return the text filled with `values`; raise :class:`BadTemplate` if one is missing."""
        parts: list[str] = []
        self._fill(self._nodes, [values], parts)
        return "".join(parts)

    def _parse(self, source: str) -> list[_Node]:
        nodes: list[_Node] = []
        open_sections: list[tuple[_Section, list[_Node]]] = []
        end = 0
        for tag in _TAG.finditer(source):
            nodes.append(source[end : tag.start()])
            end = tag.end()
            kind, name = tag.groups()
            if kind == "/":
                if not open_sections or open_sections[-1][0].name != name:
                    raise BadTemplate(
                        f"template {self.name}: {tag[0]} closes a section that is not open there"
                    )
                nodes = open_sections.pop()[1]
            elif kind:
                section = _Section(name, kind == "^", [])
                nodes.append(section)
                open_sections.append((section, nodes))
                nodes = section.inner
            else:
                nodes.append(_Variable(name))
        if open_sections:
            name = open_sections[-1][0].name
            raise BadTemplate(
                f"template {self.name}: section {name} is never closed; close it with "
                f"{{{{/{name}}}}}"
            )
        nodes.append(source[end:])
        return nodes

    def _fill(self, nodes: list[_Node], scopes: list[Values], parts: list[str]) -> None:
        for node in nodes:
            if isinstance(node, str):
                parts.append(node)
                continue
            value = self._look_up(node.name, scopes)
            if isinstance(node, _Variable):
                parts.append(_escape_value(self.name, node.name, value))
            elif node.inverted:
                if not value:
                    self._fill(node.inner, scopes, parts)
            elif isinstance(value, Sequence) and not isinstance(value, str):
                for item in value:
                    self._fill(node.inner, [*scopes, item], parts)
            elif value:
                self._fill(node.inner, scopes, parts)

    def _look_up(self, name: str, scopes: list[Values]) -> Value:
        for scope in reversed(scopes):
            if name in scope:
                return scope[name]
        known = ", ".join(sorted({name for scope in scopes for name in scope}))
        raise BadTemplate(f"template {self.name}: no value is named {name}; there are: {known}")


def include(source: str, read: Callable[[str], str]) -> str:
    """Return `source` with each `{{> file}}` replaced by what `read` returns for it.

    An included file may include others.
    """
    return _PARTIAL.sub(lambda tag: include(read(tag[1]), read), source)


def escape(text: str) -> str:
    """Return `text` escaped for HTML text and quoted attributes.

    NUL is removed, and a lone surrogate (from an undecodable path) becomes "?", so that the page
    can be sent as UTF-8.
    """
    return html.escape(text.replace("\x00", "").encode("utf-8", "replace").decode())


def safe_url(url: str) -> str:
    """Return `url` such that a link to it stays on this host, unless it is plainly an http(s) URL.

    >>> safe_url("/hello/?a=1"), safe_url("//evil.example/"), safe_url("javascript:alert(1)")
    ('/hello/?a=1', '/evil.example/', './javascript:alert(1)')
    """
    # Browsers drop tabs and newlines, and read a backslash as a slash, before they look for the
    # host.
    url = _CONTROLS.sub(lambda control: "%20" if control[0] == " " else "", url)
    if _ABSOLUTE.match(url):
        return url
    if url[:1] in ("/", "\\"):
        return "/" + url.lstrip("/\\")
    return "./" + url if _COLON_FIRST.match(url) else url


def _escape_value(template: str, name: str, value: Value) -> str:
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str | int):
        return escape(str(value))
    raise BadTemplate(f"template {template}: {name} is a list; open it with {{{{#{name}}}}}")
