"""What of an answer is compared."""

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self
from urllib.parse import unquote

_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)
_LINK = re.compile(r'<li><a [^>]*?href="([^"]*)"')
_CHANCE = re.compile(r'("entropy":)\d+')
_COMPARED = ("accept-ranges", "cache-control", "content-range")


class Seen(NamedTuple):
    """An answer, reduced to what a visitor can tell."""

    status: int
    location: str = ""
    kind: str = ""
    """The media type without its character set; empty without a body."""
    said: str = ""
    """A file's content, what an app says, or the title and the links of a listing."""
    headers: Sequence[str] = ()

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], body: bytes) -> Self:
        """Reduce an answer; header names are in lower case."""
        text = _CHANCE.sub(r"\1", body.decode(errors="replace"))
        if status >= 400:
            return cls(status)
        if status in (301, 302, 307):
            return cls(status, headers.get("location", ""), said=text)
        kind = headers.get("content-type", "").partition(";")[0]
        kept = [f"{name}: {headers[name]}" for name in _COMPARED if name in headers]
        has = [f"{name}?" for name in ("etag", "last-modified") if name in headers]
        if "accept-ranges" not in headers:
            kept = has = []
            title = _TITLE.search(text)
            if kind == "text/html" and title and title[1].startswith("Index of"):
                links = [unquote(html.unescape(link)) for link in _LINK.findall(text)]
                text = "\n".join([html.unescape(title[1]), *links])
        return cls(status, "", kind if text else "", text, (*kept, *has))

    @classmethod
    def of_record(cls, record: Sequence[Any]) -> Self:
        """Read what :meth:`record` returned."""
        status, location, kind, said, headers = record
        return cls(status, location, kind, said, tuple(headers))

    def record(self) -> list[Any]:
        """Return the answer as JSON takes it."""
        return [self.status, self.location, self.kind, self.said, list(self.headers)]
