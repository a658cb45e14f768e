"""What a text or a URL needs before it goes into a page. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

_PARTIAL = re.compile(r"\{\{>\s*([\w.-]+)\s*\}\}")
_CONTROLS = re.compile(r"[\x00-\x20\x7f]")
_ABSOLUTE = re.compile(r"https?://[^/\\]", re.IGNORECASE)
_COLON_FIRST = re.compile(r"[^/?#]*:")


def include(source: str, read: Callable[[str], str]) -> str:
    """Return `source` with each `{{> file}}` replaced by what `read` returns for it.

    An included file may include others. Only Sheen's own templates are put together so.
    """
    return _PARTIAL.sub(lambda tag: include(read(tag[1]), read), source)


def sendable(html: str) -> str:
    """Return a page that can be sent as UTF-8.

    NUL is removed, and a lone surrogate (from an undecodable path) becomes "?".
    """
    return html.replace("\x00", "").encode("utf-8", "replace").decode()


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
