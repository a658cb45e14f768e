"""What a bundle is, by the names of its files, and for an app in Python by what is in them. Pure."""

import re
from collections.abc import Callable, Collection, Iterable
from enum import StrEnum
from typing import NamedTuple

from chalicelib.kinds import python_shiny
from chalicelib.publishing.errors import BadBundle


class Kind(StrEnum):
    """How the app is started."""

    APP_R = "app.R"
    SERVER_R = "server.R"
    APP_PY = "app.py"
    """A Shiny app in Python, whatever its file is called."""


class Shape(NamedTuple):
    """What was found: the kind, and the one folder that everything is in (``""`` when the app is at the top)."""

    kind: Kind
    top: str


_NOT_YET = (
    (re.compile(r"[^/]+\.rmd"), "an R Markdown document"),
    (re.compile(r"[^/]+\.qmd"), "a Quarto document"),
    (re.compile(r"app\.py"), "a Python app that is not Shiny's"),
    (re.compile(r"plumber\.r"), "a Plumber API"),
    (re.compile(r"index\.html?"), "a static site"),
)
"""What people publish elsewhere and Sheen does not serve; an app may have such files too, so they count when there is no app."""


def shape_of(paths: Iterable[str], bundle: str, content: Callable[[str], bytes]) -> Shape:
    """Find the app among a bundle's files (relative paths with ``/``), at the top or in the one folder at the top.

    ``content`` gives what is in one of them. Like Shiny itself this does not mind upper and lower case. Raise :class:`BadBundle` that says
    why when there is no app.
    """
    files = list(paths)
    if not files:
        raise BadBundle(f"bundle {bundle}: it is empty; put app.R, or server.R and ui.R, into it")
    top = top_of(files)
    inside = [path[len(top) + 1 :] if top else path for path in files]
    names = {path.lower() for path in inside}
    entrypoint = python_shiny.find(inside, _below(content, top), bundle)
    if entrypoint is not None:
        python_shiny.check(entrypoint, inside, bundle)
        return Shape(Kind.APP_PY, top)
    if "app.r" in names:
        return Shape(Kind.APP_R, top)
    if "server.r" in names:
        if names & {"ui.r", "www/index.html"}:
            return Shape(Kind.SERVER_R, top)
        raise BadBundle(
            f"bundle {bundle}: {f'{top}/' if top else ''}server.R has no ui.R or www/index.html beside it; add one of them there"
        )
    if "ui.r" in names:
        raise BadBundle(f"bundle {bundle}: {f'{top}/' if top else ''}ui.R has no server.R beside it; add one")
    _refuse_what_is_not_served(inside, bundle)
    elsewhere = [path for path in files if path.lower().endswith(("/app.r", "/server.r", "/app.py"))]
    hint = f' (it was found at "{min(elsewhere, key=len)}": pack that folder)' if elsewhere else ""
    raise BadBundle(
        f"bundle {bundle}: no app is in it; app.R, server.R with ui.R or www/index.html, or app.py must be at the top "
        f"or in the one folder at the top{hint}"
    )


def top_of(paths: Collection[str]) -> str:
    """Return the one folder that everything is in, or ``""``: that is where an app's own files are."""
    first = {path.split("/", 1)[0] for path in paths}
    return first.pop() if len(first) == 1 and all("/" in path for path in paths) else ""


def _below(content: Callable[[str], bytes], top: str) -> Callable[[str], bytes]:
    return lambda path: content(f"{top}/{path}" if top else path)


def _refuse_what_is_not_served(inside: Collection[str], bundle: str) -> None:
    for pattern, what in _NOT_YET:
        found = min((path for path in inside if pattern.fullmatch(path.lower())), default=None)
        if found is not None:
            raise BadBundle(
                f"bundle {bundle}: {found} makes it {what}, which Sheen does not serve yet; "
                "it serves Shiny apps: an app.R, a server.R with ui.R or www/index.html, or an app.py that imports shiny"
            )
