"""How an app in Python is started: its command line and its environment.

Everything else is the same as for R (:mod:`agent.processes.command`).
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from agent.processes.command import OF_PYTHON, WorkerSpec, hosted, started


def command(spec: WorkerSpec, private: Path, interpreter: int) -> list[str]:
    """Return the command line of the app's Python.

    The image's Python is the agent's own, which has Shiny; ``interpreter`` is a descriptor of it.
    """
    own = not (spec.program or spec.supervisor)
    program = [spec.program or sys.executable, "-B", "-u", str(private / OF_PYTHON[-1].name)]
    return started(spec, program, interpreter if own else -1)


def environment(
    spec: WorkerSpec, private: Path, agent: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return Python's whole environment; the agent's own environment adds only the time zone."""
    result = {
        **hosted(spec, private, agent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        **spec.environment,
    }
    if spec.library is not None:
        result["PYTHONPATH"] = os.pathsep.join(
            filter(None, (str(spec.library), spec.environment.get("PYTHONPATH")))
        )
    return result
