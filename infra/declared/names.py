"""How a name reads where only letters and digits may stand."""

import re


def camel(name: str) -> str:
    """Return ``instance_watch``, ``machine-instance`` or ``data/`` as ``InstanceWatch``, ``MachineInstance`` or ``Data``."""
    return "".join(part.capitalize() for part in re.split(r"[^A-Za-z0-9]+", name))
