"""The build half of each kind, by the kind's name."""

from chalicelib.kinds.kind import Kind
from tasks.kinds import shiny_python, shiny_r
from tasks.kinds.build import Build

BUILDS: dict[str, Build] = {
    shiny_r.KIND.name: shiny_r.BUILD,
    shiny_python.KIND.name: shiny_python.BUILD,
}


def of(kind: Kind) -> Build:
    """Return how a kind is built."""
    return BUILDS[kind.name]
