"""The kinds that Sheen serves, and the kind of a version by its row. Pure."""

from collections.abc import Callable
from typing import NamedTuple

from chalicelib.kinds import shiny_python, shiny_r
from chalicelib.kinds.kind import Kind

KINDS: tuple[Kind, ...] = (shiny_r.KIND, shiny_python.KIND)
"""In order of precedence, for files that are of several kinds."""

_FORMER = {"app.R": shiny_r.KIND, "server.R": shiny_r.KIND, "app.py": shiny_python.KIND}
"""Names in the rows of versions from before kinds had modules of their own."""


class KindOfVersion(NamedTuple):
    """What a version is, as its row says."""

    kind: Kind
    entrypoint: str


def of_row(
    name: str, entrypoint: str | None, manifest: Callable[[], bytes | None]
) -> KindOfVersion | None:
    """Return what the row of a version says that it is; None if no kind has this name.

    ``manifest`` returns the manifest in the version's folder, if there is one. It is read only for
    a Python app whose row is from before rows had entrypoints, and it has that app's.
    """
    former = _FORMER.get(name)
    if former is not None and entrypoint is None:
        if former is shiny_python.KIND:
            return KindOfVersion(former, shiny_python.entrypoint_in(manifest()))
        return KindOfVersion(former, "")
    kind = next((kind for kind in KINDS if kind.name == name), None)
    return KindOfVersion(kind, entrypoint or "") if kind is not None else None
