"""How to write a name where only letters and digits are allowed."""

import re


def camel(name: str) -> str:
    """Return a name in camel case.

    ``instance_watch``, ``machine-instance`` and ``data/`` become ``InstanceWatch``,
    ``MachineInstance`` and ``Data``.
    """
    return "".join(part.capitalize() for part in re.split(r"[^A-Za-z0-9]+", name))
