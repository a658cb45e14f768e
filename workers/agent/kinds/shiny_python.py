"""Starting a Shiny app in Python: always a fresh process."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from agent.processes.command import Runtime, WorkerSpec, hosted, started
from chalicelib.kinds.shiny_python import KIND
from machine import room
from machine.room import VisibleFolder

__all__ = ["KIND", "RUNTIME", "interpreter"]

_FOLDER = Path(__file__).parents[2] / "python"
_SCRIPTS = tuple(_FOLDER / name for name in ("sheen_relay.py", "start.py"))
"""Python runs the last one."""


def _command(spec: WorkerSpec, private: Path, interpreter: int) -> list[str]:
    """Return the command line of the app's Python.

    The image's Python is the agent's own, which has Shiny; ``interpreter`` is a descriptor of it.
    """
    own = not (spec.program or spec.supervisor)
    program = [spec.program or sys.executable, "-B", "-u", str(private / _SCRIPTS[-1].name)]
    return started(spec, program, interpreter if own else -1)


def _environment(spec: WorkerSpec, private: Path) -> dict[str, str]:
    """Return Python's whole environment."""
    result = {
        **hosted(spec, private),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        **spec.environment,
    }
    if spec.library is not None:
        result["PYTHONPATH"] = os.pathsep.join(
            filter(None, (str(spec.library), spec.environment.get("PYTHONPATH")))
        )
    return result


def _parameters(spec: WorkerSpec) -> Mapping[str, str]:
    return {"entrypoint": spec.entrypoint, "worker": spec.worker_id}


def interpreter() -> tuple[VisibleFolder, ...]:
    """Return the folders of Python and its packages that a room would hide.

    An app in Python runs on the agent's own Python, which may be installed in a temporary folder.
    """
    folders = {Path(sys.prefix), Path(sys.base_prefix)}
    return tuple(
        VisibleFolder(path, path)
        for path in sorted(folders)
        if any(map(path.is_relative_to, room.TEMPORARY))
    )


RUNTIME = Runtime(
    language="Python",
    quits="sys.exit()",
    setting="python",
    own_program=lambda settings: settings.python,
    scripts=_SCRIPTS,
    command=_command,
    environment=_environment,
    parameters=_parameters,
    longest_credentials=8000,
    seen=interpreter,
)
