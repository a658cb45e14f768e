"""Shiny apps in Python, and where their app object is. Pure."""

import re
from typing import NamedTuple, Self

from chalicelib.kinds.kind import AppFiles, Kind, NearMiss, Recognised
from chalicelib.publishing import manifest

APP = "app.py"

_USUAL = "app:app"
_LONGEST_LINE = 1000
"""Lines with more characters are not searched for imports."""
_EXPRESS = "shiny.express.app"
"""Module whose attributes are apps of Shiny Express; an attribute is the file's escaped name."""
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_ENTRYPOINT = re.compile(rf"(?P<module>{_NAME}(?:\.{_NAME})*)(?::(?P<attribute>{_NAME}))?\Z")
_SHINY = re.compile(
    r"[ \t]*(?:from[ \t]+shiny(?:\.[\w.]+)?[ \t]+import\b|"
    r"import[ \t]++(?:[\w.][\w. \t]*+,[ \t]*+)*shiny\b)"
)


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


def _recognise(files: AppFiles) -> Recognised | NearMiss | None:
    if files.appmode == KIND.appmode and files.manifest is not None:
        return _named(files, files.manifest["metadata"].get("entrypoint") or _USUAL)
    if APP in files.paths and is_shiny(files.read(APP).decode(errors="replace")):
        return Recognised(_USUAL)
    return None


def entrypoint_in(text: bytes | None) -> str:
    """Return the entrypoint that a manifest names; ``app:app`` without one.

    >>> entrypoint_in(b'{"metadata": {"appmode": "python-shiny", "entrypoint": "main:here"}}')
    'main:here'
    """
    said = manifest.parse(text) if text is not None else None
    if said is None or said["metadata"]["appmode"] != KIND.appmode:
        return _USUAL
    found = Entrypoint.parse(str(said["metadata"].get("entrypoint") or _USUAL))
    return str(found) if found is not None else _USUAL


def _named(files: AppFiles, named: object) -> Recognised | NearMiss:
    entrypoint = Entrypoint.parse(named) if isinstance(named, str) else None
    if entrypoint is None:
        return NearMiss(
            f'{manifest.FILE}: "entrypoint" is {str(named)[:100]!r}; it must be like app:app'
        )
    if not files.paths & set(entrypoint.files):
        return NearMiss(
            f'{manifest.FILE}: "entrypoint" is "{str(entrypoint)[:100]}", and there is no '
            f"{' or '.join(entrypoint.files)[:200]}; "
            "write it again with rsconnect write-manifest shiny"
        )
    return Recognised(str(entrypoint))


KIND = Kind(
    name="shiny-python",
    words="a Shiny app in Python",
    appmode="python-shiny",
    looked_for="an app.py that imports shiny",
    recognise=_recognise,
)
