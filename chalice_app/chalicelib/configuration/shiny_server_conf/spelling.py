"""What to say about a name that no directive has. Pure."""

from functools import lru_cache

from chalicelib.configuration.rules import nearest
from chalicelib.configuration.shiny_server_conf.directives.schema import Directive, Scope
from chalicelib.configuration.shiny_server_conf.directives.table import (
    DIRECTIVES,
    NEVER_EXISTED,
    NGINX,
)

_LONGEST_SHOWN = 60
TYPOGRAPHIC_QUOTES = "\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u201b\u00ab\u00bb\u2033\u2032"
"""Characters that word processors and web pages make of quotes."""


def quoted(text: str) -> str:
    """Return a word as a message shows it: cut if it is long, without control characters."""
    cut = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
    return '"' + "".join(char if char.isprintable() else "�" for char in cut) + '"'


def unknown(name: str, scope: Scope, *, suggest: bool) -> tuple[str, Directive | None]:
    """Say that a directive does not exist, and return the one that was likely meant.

    Without ``suggest``, do not search for it.
    """
    text = f"there is no directive {quoted(name)}"
    if any(quote in name for quote in TYPOGRAPHIC_QUOTES):
        return f"{text}; it has typographic quotes, write \" or '", None
    if name in NEVER_EXISTED:
        return f"{text}; {NEVER_EXISTED[name]}", None
    if name in NGINX:
        return f"{text}; this is a word of nginx, which is another server", None
    near = _nearest(name, scope) if suggest else None
    if near is None:
        return text, None
    return f"{text}; did you mean {near}?", DIRECTIVES[near]


@lru_cache(maxsize=1024)
def _nearest(name: str, scope: Scope) -> str | None:
    if name.lower() in DIRECTIVES:
        return name.lower()
    allowed = [row.name for row in DIRECTIVES.values() if scope in row.scopes]
    return nearest(name, allowed) or nearest(name, DIRECTIVES)
