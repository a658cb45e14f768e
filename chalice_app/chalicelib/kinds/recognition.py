"""Recognising a bundle by its files' names, and a Python app also by its contents. Pure."""

import re
from collections.abc import Callable, Collection, Iterable
from enum import StrEnum
from typing import NamedTuple

from chalicelib.kinds import python_shiny
from chalicelib.publishing.errors import BadBundle


class Kind(StrEnum):
    """The kind of an app, which decides how it is started."""

    APP_R = "app.R"
    SERVER_R = "server.R"
    APP_PY = "app.py"
    """A Shiny app in Python, whatever the name of its file."""


class Shape(NamedTuple):
    """The kind of a bundle, and the one folder that holds everything.

    The folder is ``""`` if the app is at the top.
    """

    kind: Kind
    top: str


_NOT_YET = (
    (re.compile(r"[^/]+\.rmd"), "an R Markdown document"),
    (re.compile(r"[^/]+\.qmd"), "a Quarto document"),
    (re.compile(r"app\.py"), "a Python app that is not Shiny's"),
    (re.compile(r"plumber\.r"), "a Plumber API"),
    (re.compile(r"index\.html?"), "a static site"),
)
"""Things that people publish elsewhere and Sheen does not serve.

They are considered only if there is no app, because an app may have such files too.
"""


def shape_of(paths: Iterable[str], bundle: str, content: Callable[[str], bytes]) -> Shape:
    """Find the app in a bundle, at the top or in the only folder at the top.

    ``paths`` are relative, with ``/``. ``content`` returns the content of a file. Like Shiny, this
    ignores case. Raise :class:`BadBundle` that says why if there is no app.
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
            f"bundle {bundle}: {f'{top}/' if top else ''}server.R has no ui.R or "
            "www/index.html beside it; add one of them there"
        )
    if "ui.r" in names:
        raise BadBundle(
            f"bundle {bundle}: {f'{top}/' if top else ''}ui.R has no server.R beside it; add one"
        )
    _refuse_what_is_not_served(inside, bundle)
    elsewhere = [
        path for path in files if path.lower().endswith(("/app.r", "/server.r", "/app.py"))
    ]
    hint = f' (it was found at "{min(elsewhere, key=len)}": pack that folder)' if elsewhere else ""
    raise BadBundle(
        f"bundle {bundle}: no app is in it; app.R, server.R with ui.R or www/index.html, "
        "or app.py must be at the top "
        f"or in the one folder at the top{hint}"
    )


def top_of(paths: Collection[str]) -> str:
    """Return the one folder that holds everything, and so the app's own files, or ``""``."""
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
                "it serves Shiny apps: an app.R, a server.R with ui.R or www/index.html, "
                "or an app.py that imports shiny"
            )
