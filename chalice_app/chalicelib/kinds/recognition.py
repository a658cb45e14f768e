"""Recognising what a bundle is, by its manifest, its files' names and its app's source. Pure."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from chalicelib.kinds import refused, served
from chalicelib.kinds.kind import AppFiles, Content, Kind, NearMiss, Recognised
from chalicelib.publishing import manifest
from chalicelib.publishing.errors import BadBundle


class Shape(NamedTuple):
    """What a bundle is, and the one folder that holds everything."""

    kind: Kind
    entrypoint: str
    """What the kind's process needs to know to start; see :class:`Recognised`."""
    top: str
    """Empty if the app is at the top of the bundle."""


def shape_of(paths: Iterable[str], bundle: str, content: Content) -> Shape:
    """Recognise what is in a bundle, at the top or in the only folder at the top.

    ``paths`` are relative, with ``/``. ``content`` returns the content of a file. The manifest
    decides. Without one, the first kind that recognises the files does. Raise :class:`BadBundle`
    that says why if there is no app.
    """
    files = list(paths)
    if not files:
        raise BadBundle(f"bundle {bundle}: it is empty; put {_looked_for()} into it")
    app = _app_files(files, content)
    claimed = [kind for kind in served.KINDS if kind.appmode == app.appmode]
    refusals: list[NearMiss] = []
    for kind in claimed or served.KINDS:
        match kind.recognise(app):
            case Recognised(entrypoint):
                # A process reads it as one line among its parameters.
                if not entrypoint.isprintable():
                    raise BadBundle(
                        f"bundle {bundle}: its entrypoint is {entrypoint[:100]!r}; "
                        "it must be one line of printable characters"
                    )
                return Shape(kind, entrypoint, app.top)
            case NearMiss() as refusal:
                refusals.append(refusal)
    if refusals:
        raise BadBundle(f"bundle {bundle}: {refusals[0].why}")
    if (found := refused.found_in(app.paths)) is not None:
        file, words = found
        raise BadBundle(
            f"bundle {bundle}: {file} makes it {words}, which Sheen does not serve yet; "
            f"it serves Shiny apps: {_looked_for()}"
        )
    raise BadBundle(
        f"bundle {bundle}: no app is in it; {_looked_for()} must be at the top "
        f"or in the one folder at the top{_hint(files)}"
    )


def check_manifest(paths: Collection[str], bundle: str, content: Content) -> None:
    """Raise :class:`BadBundle` if a bundle's manifest names a kind that Sheen does not serve.

    The build checks it first, because its message is the clearest.
    """
    appmode = _app_files(paths, content).appmode
    if appmode is not None and all(kind.appmode != appmode for kind in served.KINDS):
        raise BadBundle(
            f"bundle {bundle}: {manifest.FILE} says that it is {refused.words_of(appmode)} "
            f'("appmode": "{appmode[:50]}"), which Sheen does not serve yet; it serves '
            f"{' and '.join(kind.words for kind in served.KINDS)}, whose manifest "
            "rsconnect::writeManifest() writes, or rsconnect write-manifest shiny"
        )


def top_of(paths: Collection[str]) -> str:
    """Return the one folder that holds everything, and so the app's own files, or ``""``."""
    first = {path.split("/", 1)[0] for path in paths}
    return first.pop() if len(first) == 1 and all("/" in path for path in paths) else ""


def _app_files(paths: Collection[str], content: Content) -> AppFiles:
    top = top_of(paths)
    below = f"{top}/" if top else ""
    return AppFiles(
        frozenset(path.removeprefix(below) for path in paths),
        lambda path: content(f"{below}{path}"),
        top,
    )


def _looked_for() -> str:
    return ", or ".join(kind.looked_for for kind in served.KINDS)


def _hint(paths: Iterable[str]) -> str:
    elsewhere = [
        path for path in paths if path.lower().endswith(("/app.r", "/server.r", "/app.py"))
    ]
    return f' (it was found at "{min(elsewhere, key=len)}": pack that folder)' if elsewhere else ""
