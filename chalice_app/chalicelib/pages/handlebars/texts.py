"""How values become text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from chalicelib.pages.handlebars.nodes import Value

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_ESCAPES |= {"'": "&#x27;", "`": "&#x60;", "=": "&#x3D;"}


def escape(text: str) -> str:
    """Return `text` escaped as handlebars.js escapes it."""
    return re.sub("[&<>\"'`=]", lambda found: _ESCAPES[found[0]], text)


def as_text(value: Value) -> str:
    """Return `value` as JavaScript writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Mapping):
        return "[object Object]"
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return ",".join(as_text(item) for item in value)
    return str(value)
