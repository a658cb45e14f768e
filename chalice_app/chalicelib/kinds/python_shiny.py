"""How a Shiny app in Python is told from other bundles, and where its app object is. Pure.

Who builds a version and who serves it ask the same, so that both find the same.
"""

import re
from collections.abc import Callable, Collection
from typing import NamedTuple, Self

from chalicelib.publishing import manifest
from chalicelib.publishing.errors import BadBundle

APP = "app.py"
APPMODE = "python-shiny"
"""What rsconnect-python calls such an app in the manifest."""

_LONGEST_LINE = 1000
"""Characters of a line that may be an import."""
_EXPRESS = "shiny.express.app"
"""The module whose attributes are apps of Shiny Express: the attribute is the file's name, escaped."""
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_ENTRYPOINT = re.compile(rf"(?P<module>{_NAME}(?:\.{_NAME})*)(?::(?P<attribute>{_NAME}))?\Z")
_SHINY = re.compile(r"[ \t]*(?:from[ \t]+shiny(?:\.[\w.]+)?[ \t]+import\b|import[ \t]++(?:[\w.][\w. \t]*+,[ \t]*+)*shiny\b)")

Content = Callable[[str], bytes]
"""Gives a file's content by its path."""


class Entrypoint(NamedTuple):
    """Where the app object is: ``app:app``."""

    module: str
    attribute: str

    def __str__(self) -> str:
        return f"{self.module}:{self.attribute}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read ``module`` or ``module:attribute``; None when it is something else."""
        match = _ENTRYPOINT.match(text)
        return cls(match["module"], match["attribute"] or "app") if match else None

    @property
    def files(self) -> tuple[str, ...]:
        """The files of a bundle one of which it may be."""
        if self.module == _EXPRESS:
            return (re.sub(r"_([0-9a-f]{1,4})_", lambda escaped: chr(int(escaped[1], 16)), self.attribute),)
        path = self.module.replace(".", "/")
        return f"{path}.py", f"{path}/__init__.py"


def is_shiny(source: str) -> bool:
    """Whether a Python file imports Shiny.

    >>> is_shiny("from shiny.express import ui"), is_shiny("import shinyswatch")
    (True, False)
    """
    return any(_SHINY.match(line) for line in source.splitlines() if len(line) <= _LONGEST_LINE)


def find(paths: Collection[str], content: Content, bundle: str) -> Entrypoint | None:
    """Return where the app is when the files at ``paths`` are a Shiny app in Python; None when they are something else.

    The manifest's word counts; without one an app.R or server.R comes before an app.py. Only the names at the top are needed. Raise
    :class:`BadBundle` when the manifest names what is no entrypoint.
    """
    said = manifest.parse(content(manifest.FILE)) if manifest.FILE in paths else None
    if said is not None and said["metadata"]["appmode"] == APPMODE:
        named = said["metadata"].get("entrypoint") or "app:app"
        entrypoint = Entrypoint.parse(named) if isinstance(named, str) else None
        if entrypoint is None:
            raise BadBundle(f'bundle {bundle}: {manifest.FILE}: "entrypoint" is {str(named)[:100]!r}; it must be like app:app')
        return entrypoint
    if said is not None or {"app.r", "server.r"} & {path.lower() for path in paths}:
        return None
    return Entrypoint("app", "app") if APP in paths and is_shiny(content(APP).decode(errors="replace")) else None


def check(entrypoint: Entrypoint, paths: Collection[str], bundle: str) -> None:
    """Raise :class:`BadBundle` when the file of an entrypoint is not there."""
    if not any(file in paths for file in entrypoint.files):
        raise BadBundle(
            f'bundle {bundle}: {manifest.FILE}: "entrypoint" is "{str(entrypoint)[:100]}", and there is no '
            f"{' or '.join(entrypoint.files)[:200]}; write it again with rsconnect write-manifest shiny"
        )
