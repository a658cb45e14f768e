"""The runtime of each kind, by the kind's name."""

from agent.kinds import shiny_python, shiny_r
from agent.processes.command import Runtime
from chalicelib.kinds.kind import Kind

RUNTIMES: dict[str, Runtime] = {
    shiny_r.KIND.name: shiny_r.RUNTIME,
    shiny_python.KIND.name: shiny_python.RUNTIME,
}


def of(kind: Kind) -> Runtime:
    """Return how processes of a kind start; the kind has an instance."""
    return RUNTIMES[kind.name]
