"""What a bundle is, by the names of its files. Pure."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from chalicelib.bundles.errors import BadBundle


class Kind(StrEnum):
    """How R starts the app."""

    APP_R = "app.R"
    SERVER_R = "server.R"


class Shape(NamedTuple):
    """What was found: the kind, and the one folder that everything is in (``""`` when the app is at the top)."""

    kind: Kind
    top: str


def shape_of(paths: Iterable[str], bundle: str) -> Shape:
    """Find the app among a bundle's files (relative paths with ``/``), at the top or in the one folder at the top.

    Like Shiny itself this does not mind upper and lower case. Raise :class:`BadBundle` when there is no app.
    """
    files = list(paths)
    if not files:
        raise BadBundle(f"bundle {bundle}: it is empty; put app.R, or server.R and ui.R, into it")
    kind = _kind_at(files)
    if kind is not None:
        return Shape(kind, "")
    tops = {path.split("/", 1)[0] for path in files}
    if len(tops) == 1 and all("/" in path for path in files):
        top = tops.pop()
        kind = _kind_at([path.split("/", 1)[1] for path in files])
        if kind is not None:
            return Shape(kind, top)
        if any(path.lower() == f"{top}/server.r".lower() for path in files):
            raise BadBundle(f"bundle {bundle}: {top}/server.R has no ui.R or www/index.html beside it; add one")
    if any(path.lower() == "server.r" for path in files):
        raise BadBundle(f"bundle {bundle}: server.R has no ui.R or www/index.html beside it; add one")
    elsewhere = [path for path in files if path.lower().endswith(("/app.r", "/server.r"))]
    hint = f' (it was found at "{min(elsewhere, key=len)}": pack that folder)' if elsewhere else ""
    raise BadBundle(
        f"bundle {bundle}: no app is in it; app.R, or server.R with ui.R or www/index.html, must be at the top "
        f"or in the one folder at the top{hint}"
    )


def _kind_at(files: Iterable[str]) -> Kind | None:
    names = {path.lower() for path in files}
    if "app.r" in names:
        return Kind.APP_R
    if "server.r" in names and names & {"ui.r", "www/index.html"}:
        return Kind.SERVER_R
    return None
