"""Building a Shiny app in Python: wheels by its requirements, and a look through its code."""

import sys
from collections.abc import Collection
from pathlib import Path

from chalicelib.configuration.app_settings import AppSettings
from chalicelib.configuration.repositories import Indexes
from chalicelib.kinds.shiny_python import KIND, Entrypoint
from tasks import check
from tasks.kinds.build import Build, Check, Files, UnpackedBundle
from tasks.packages import python, requirements

__all__ = ["BUILD", "KIND", "files_of"]


def _restore(unpacked: UnpackedBundle) -> bool:
    if not (unpacked.app / requirements.FILE).is_file():
        return False
    indexes = Indexes.parse(unpacked.deployment.python_repositories)
    return python.restore(unpacked.app, unpacked.place, indexes, unpacked.log, unpacked.tell)


def files_of(paths: Collection[str], beside: list[str], entrypoint: str) -> Files:
    """Return which Python file is the app. Pure."""
    everything = sorted(paths)
    found = Entrypoint.parse(entrypoint)
    run = [path for path in found.files if path in everything][:1] if found is not None else []
    return Files(run, [path for path in everything if path not in run], beside)


def _command(mark: str, _files: Files, _elsewhere: bool) -> list[str]:
    return [sys.executable, "-B", "-P", "check_python.py", mark]


def _variables(libraries: str) -> dict[str, str]:
    return {"PYTHONPATH": libraries, "PYTHONDONTWRITEBYTECODE": "1"}


def _own_program(settings: AppSettings) -> str:
    return settings.python


BUILD = Build(
    restore=_restore,
    check=Check(
        endings=(".py",),
        scripts=(Path(check.__file__).with_name("check_python.py"),),
        files=files_of,
        command=_command,
        variables=_variables,
        own_program=_own_program,
    ),
)
