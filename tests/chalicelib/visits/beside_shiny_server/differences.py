"""Where Sheen answers otherwise than Shiny Server, and why. docs/from-shiny-server.md says it."""

import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote

from tests.chalicelib.visits.beside_shiny_server.seen import Seen
from tests.chalicelib.visits.beside_shiny_server.site import Question

Applies = Callable[[Question, Seen, Seen], bool]
"""Says of a question, Shiny Server's answer and Sheen's whether this is the difference."""


class Difference(NamedTuple):
    """One difference."""

    told: str
    """Words of the page that tell of it."""
    applies: Applies


def _climbs(path: str) -> bool:
    return any(part in (".", "..") for part in unquote(path.partition("?")[0]).split("/"))


DIFFERENCES = (
    Difference(
        "A path that is not UTF-8",
        lambda question, real, ours: (
            real.status == 500 and ours.status == 404 and "%" in question.path
        ),
    ),
    Difference(
        "asks for a range beyond",
        lambda question, real, ours: "Range" in dict(question.headers) and ours.status == 416,
    ),
    Difference(
        "asks for another state of a file",
        lambda question, real, ours: "If-Match" in dict(question.headers) and ours.status == 412,
    ),
    Difference(
        "`/robots.txt`",
        lambda question, real, ours: question.path == "/robots.txt" and real.status == 404,
    ),
    Difference(
        "`__sockjs__`",
        lambda question, real, ours: "__sockjs__" in question.path and ours.status == 404,
    ),
    Difference(
        "extension says nothing",
        lambda question, real, ours: (
            not real.kind
            and ours.kind == "application/octet-stream"
            and ours._replace(kind="") == real
        ),
    ),
    Difference(
        "a path with `.` or `..` to an app",
        lambda question, real, ours: ours.status == 400 and _climbs(question.path),
    ),
    Difference(
        "begins with two slashes",
        lambda question, real, ours: (
            real.status == ours.status == 301
            and real.location.startswith("//")
            and ours.location == re.sub(r"\A/+", "/", real.location)
        ),
    ),
)
