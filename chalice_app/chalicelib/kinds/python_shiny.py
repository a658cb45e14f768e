"""Recognising a Shiny app in Python, and finding its app object. Pure.

The build of a version and its agent use the same functions, so that both find the same.
"""

import re
from collections.abc import Callable, Collection
from typing import NamedTuple, Self

from chalicelib.publishing import manifest
from chalicelib.publishing.errors import BadBundle

APP = "app.py"
APPMODE = "python-shiny"
"""rsconnect-python's name for such an app in the manifest."""

_LONGEST_LINE = 1000
"""Lines with more characters are not searched for imports."""
_EXPRESS = "shiny.express.app"
"""Module whose attributes are apps of Shiny Express; an attribute is the file's escaped name."""
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_ENTRYPOINT = re.compile(rf"(?P<module>{_NAME}(?:\.{_NAME})*)(?::(?P<attribute>{_NAME}))?\Z")
_SHINY = re.compile(
    r"[ \t]*(?:from[ \t]+shiny(?:\.[\w.]+)?[ \t]+import\b|import[ \t]++(?:[\w.][\w. "
    r"\t]*+,[ \t]*+)*shiny\b)"
)

Content = Callable[[str], bytes]
"""Returns the content of a file, given its path."""


class Entrypoint(NamedTuple):
    """The place of the app object: ``app:app``."""

    module: str
    attribute: str

    def __str__(self) -> str:
        return f"{self.module}:{self.attribute}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read ``module`` or ``module:attribute``; return None for anything else."""
        match = _ENTRYPOINT.match(text)
        return cls(match["module"], match["attribute"] or "app") if match else None

    @property
    def files(self) -> tuple[str, ...]:
        """The files of a bundle that may hold the app object; one of them must exist."""
        if self.module == _EXPRESS:
            return (
                re.sub(
                    r"_([0-9a-f]{1,4})_", lambda escaped: chr(int(escaped[1], 16)), self.attribute
                ),
            )
        path = self.module.replace(".", "/")
        return f"{path}.py", f"{path}/__init__.py"


def is_shiny(source: str) -> bool:
    """Return whether a Python file imports Shiny.

    >>> is_shiny("from shiny.express import ui"), is_shiny("import shinyswatch")
    (True, False)
    """
    return any(_SHINY.match(line) for line in source.splitlines() if len(line) <= _LONGEST_LINE)


def find(paths: Collection[str], content: Content, bundle: str) -> Entrypoint | None:
    """Return the entrypoint if the files at ``paths`` are a Shiny app in Python, else None.

    The manifest decides. Without one, app.R or server.R has precedence over app.py. Only the names
    at the top are needed. Raise :class:`BadBundle` if the manifest's entrypoint is malformed.
    """
    said = manifest.parse(content(manifest.FILE)) if manifest.FILE in paths else None
    if said is not None and said["metadata"]["appmode"] == APPMODE:
        named = said["metadata"].get("entrypoint") or "app:app"
        entrypoint = Entrypoint.parse(named) if isinstance(named, str) else None
        if entrypoint is None:
            raise BadBundle(
                f'bundle {bundle}: {manifest.FILE}: "entrypoint" is {str(named)[:100]!r}; '
                "it must be like app:app"
            )
        return entrypoint
    if said is not None or {"app.r", "server.r"} & {path.lower() for path in paths}:
        return None
    return (
        Entrypoint("app", "app")
        if APP in paths and is_shiny(content(APP).decode(errors="replace"))
        else None
    )


def check(entrypoint: Entrypoint, paths: Collection[str], bundle: str) -> None:
    """Raise :class:`BadBundle` if the file of an entrypoint does not exist."""
    if not any(file in paths for file in entrypoint.files):
        raise BadBundle(
            f'bundle {bundle}: {manifest.FILE}: "entrypoint" is '
            f'"{str(entrypoint)[:100]}", and there is no '
            f"{' or '.join(entrypoint.files)[:200]}; write it again with rsconnect "
            "write-manifest shiny"
        )
