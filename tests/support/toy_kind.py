"""A kind that Sheen does not have, of three small parts: a folder with a ``toy.txt`` is one, its
build makes no library, and a process of Python's serves the text.

It shows what a new kind takes: nothing of the tree names it.
"""

from pathlib import Path

import pytest

from agent.kinds import runtimes
from agent.processes.command import Runtime, WorkerSpec, hosted, started
from chalicelib.kinds import served
from chalicelib.kinds.kind import AppFiles, Kind, NearMiss, Recognised
from tasks.kinds import builds
from tasks.kinds.build import Build

SCRIPT = Path(__file__).with_name("toy_server.py")


def _recognise(files: AppFiles) -> Recognised | NearMiss | None:
    if "toy.txt" not in files.paths:
        return None
    entrypoint = files.read("toy.txt").decode().strip()
    return Recognised(entrypoint) if entrypoint else NearMiss("toy.txt is empty; write a word")


KIND = Kind(
    name="toy",
    words="a toy",
    appmode="toy",
    looked_for="a toy.txt",
    recognise=_recognise,
)
BUILD = Build(restore=lambda unpacked: False)


def _command(spec: WorkerSpec, private: Path, _interpreter: int) -> list[str]:
    return started(spec, ["/usr/bin/python3", "-I", str(private / SCRIPT.name)])


def _environment(spec: WorkerSpec, private: Path) -> dict[str, str]:
    return hosted(spec, private)


RUNTIME = Runtime(
    language="The toy",
    quits="sys.exit()",
    setting="toy",
    own_program=lambda settings: "",
    scripts=(SCRIPT,),
    command=_command,
    environment=_environment,
    parameters=lambda spec: {"entrypoint": spec.entrypoint},
)


def use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Sheen serve toys, too."""
    monkeypatch.setattr(served, "KINDS", (*served.KINDS, KIND))
    monkeypatch.setitem(builds.BUILDS, KIND.name, BUILD)
    monkeypatch.setitem(runtimes.RUNTIMES, KIND.name, RUNTIME)
