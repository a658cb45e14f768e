"""Locations: the URL paths that apps may have, and the app that owns a path. Pure.

An app owns its location and everything below it, except what belongs to a longer location: the
longest location wins.
"""

import re
from collections.abc import Container
from typing import NamedTuple
from urllib.parse import unquote

from chalicelib.apps.errors import BadLocation

ROOT = "/"
LONGEST = 200
"""Characters of a location."""
DEEPEST = 8
"""Segments of a location. A path has at most nine prefixes, which one BatchGetItem reads."""
RESERVED_PREFIX = "__"
"""Segments that begin so are Sheen's: ``__sheen__``, ``__sockjs__``, ``__health-check__``."""

_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._~-]*\Z")


class AppMatch(NamedTuple):
    """The destination of a path: the app's location, and the rest of the path as the app sees it.

    The rest begins with ``/``. It is empty for the location itself without a slash at its end.
    """

    location: str
    rest: str


def check(location: str) -> str:
    """Return the location as it is stored; raise :class:`BadLocation` that names the broken rule.

    >>> check("/team/sales/")
    '/team/sales'
    """
    if not location.startswith("/"):
        raise BadLocation(f'location "{location}" does not begin with a slash; write "/{location}"')
    if "//" in location:
        once = re.sub("/+", "/", location[:LONGEST])
        raise BadLocation(
            f'location "{location[:LONGEST]}" has two slashes in a row; write "{once}"'
        )
    if len(location) > LONGEST:
        raise BadLocation(
            f'location "{location[:40]}…" has {len(location)} characters; at most '
            f"{LONGEST} are allowed"
        )
    segments = location.strip("/").split("/") if location.strip("/") else []
    if len(segments) > DEEPEST:
        raise BadLocation(
            f'location "{location}" has {len(segments)} segments; at most {DEEPEST} are allowed'
        )
    for segment in segments:
        if segment.startswith(RESERVED_PREFIX):
            raise BadLocation(
                f'location "{location}": "{segment}" is reserved; choose a name that does '
                'not begin with "__"'
            )
        if not _SEGMENT.match(segment):
            raise BadLocation(
                f'location "{location}": "{segment}" is not allowed; a segment begins '
                "with a letter, a digit or _ and goes on with "
                'letters, digits and . _ ~ -, as in "/team/sales-2026"'
            )
    return "/" + "/".join(segments)


def prefixes(path: str) -> list[str]:
    """Return every location that could own a path, longest first.

    The path is as it came in the URL, percent-encoded or not.

    >>> prefixes("/team/sales/plot.png")
    ['/team/sales/plot.png', '/team/sales', '/team', '/']
    """
    found = [ROOT]
    so_far = ""
    for segment in path.removeprefix("/").split("/")[:DEEPEST]:
        name = unquote(segment)
        if not _SEGMENT.match(name) or name.startswith(RESERVED_PREFIX):
            break
        so_far += "/" + name
        if len(so_far) > LONGEST:
            break
        found.append(so_far)
    return found[::-1]


def resolve(path: str, locations: Container[str]) -> AppMatch | None:
    """Return the longest location that owns a path, and the rest of the path, or None.

    >>> resolve("/team/sales/plot.png", {"/", "/team"})
    AppMatch(location='/team', rest='/sales/plot.png')
    """
    for location in prefixes(path):
        if location in locations:
            return AppMatch(location, rest_of(path, location))
    return None


def rest_of(path: str, location: str) -> str:
    """Return the part of a path after the location that owns it."""
    depth = location.count("/") if location != ROOT else 0
    rest = path.removeprefix("/").split("/")[depth:]
    return "/" + "/".join(rest) if rest else ""


def climbs(path: str) -> bool:
    """Return whether a path has a ``.`` or ``..`` segment, percent-encoded or not.

    Browsers send none, and they must not reach an app's server.
    """
    return any(
        unquote(segment) in (".", "..")
        for segment in path.replace("%2f", "/").replace("%2F", "/").split("/")
    )
