"""The health check: how busy a deployment is, in the words of Shiny Server Professional. Pure.

>>> filled("<load>#load-average#</load>", Health(census.Census(3, 2, 2), Load(load_average=0.5)))
'<load>0.5</load>'
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from chalicelib.instances import census
from chalicelib.version import VERSION

HEALTH_CHECK = "/__health-check__"
PING = "/ping"
"""Answered ``OK`` if nothing else is there."""

_VARIABLE = re.compile(r"#([a-z]+(?:-[a-z]+)*)#")


class Load(NamedTuple):
    """How busy the machine is on which everything runs.

    Without such a machine all are zero: no visitor can make it too busy for others.
    """

    cpu_percent: float = 0.0
    memory_percent: float = 0.0
    swap_percent: float = 0.0
    load_average: float = 0.0
    """Programs that ran or waited to run, over the last minute."""


class Health(NamedTuple):
    """What a health check tells."""

    census: census.Census
    load: Load

    @property
    def values(self) -> Mapping[str, str]:
        """The variables of a template."""
        return {
            "server-version": VERSION,
            "active-connections": str(self.census.connections),
            "active-apps": str(self.census.apps),
            "active-processes": str(self.census.processes),
            "cpu-percent": f"{round(self.load.cpu_percent, 1):g}",
            "memory-percent": f"{round(self.load.memory_percent, 1):g}",
            "swap-percent": f"{round(self.load.swap_percent, 1):g}",
            "load-average": f"{round(self.load.load_average, 2):g}",
        }


def variant(path: str) -> str | None:
    """Return which health check a path asks for, None if for none; ``""`` is the nameless one.

    >>> variant("/__health-check__"), variant("/__health-check__/json"), variant("/hello/")
    ('', 'json', None)
    """
    if path in (HEALTH_CHECK, f"{HEALTH_CHECK}/"):
        return ""
    return path.removeprefix(f"{HEALTH_CHECK}/") if path.startswith(f"{HEALTH_CHECK}/") else None


def text(named: str, templates: Mapping[str, str], health: Health) -> str | None:
    """Return a health check's text; None if it has a name and no template has it."""
    template = templates.get(named)
    if template is None and named == "":
        template = "".join(f"{name}: #{name}#\n" for name in health.values)
    return None if template is None else filled(template, health)


def filled(template: str, health: Health) -> str:
    """Return a template with its variables filled in; other words between ``#`` stay."""
    values = health.values
    return _VARIABLE.sub(lambda found: values.get(found[1], found[0]), template)
