"""How an app in Python is started: its command line and its environment; all else is as for R (:mod:`agent.command`)."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from agent.command import WorkerSpec, before, hosted

SCRIPTS = tuple(Path(__file__).parent.parent / "python" / name for name in ("sheen_relay.py", "start.py"))


def command(spec: WorkerSpec, script: Path) -> list[str]:
    """Return the command line; the image's Python is the agent's own, which has Shiny."""
    return [*before(spec), spec.program or sys.executable, "-B", "-u", str(script)]


def environment(spec: WorkerSpec, private: Path, agent: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return Python's whole environment; of the agent's own only the time zone goes into it."""
    result = {**hosted(spec, private, agent), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONNOUSERSITE": "1", **spec.environment}
    if spec.library is not None:
        result["PYTHONPATH"] = os.pathsep.join(filter(None, (str(spec.library), spec.environment.get("PYTHONPATH"))))
    return result
