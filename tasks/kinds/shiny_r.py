"""Building a Shiny app in R: packages by its lock file, and a look through its code by R."""

from collections.abc import Collection
from pathlib import Path

from chalicelib.configuration.app_settings import AppSettings
from chalicelib.configuration.repositories import Repositories
from chalicelib.kinds.shiny_r import KIND
from tasks import check
from tasks.kinds.build import Build, Check, Files, UnpackedBundle
from tasks.packages import locks, restore

__all__ = ["BUILD", "KIND", "files_of"]


def _restore(unpacked: UnpackedBundle) -> bool:
    lock = locks.find(unpacked.app)
    if lock is None:
        return False
    repositories = Repositories.parse(unpacked.deployment.repositories)
    return restore.restore(
        lock, unpacked.place, repositories, unpacked.settings, unpacked.log, unpacked.tell
    )


def files_of(paths: Collection[str], beside: list[str], _entrypoint: str = "") -> Files:
    """Return which of an app's R files Shiny runs by itself, in its order. Pure."""
    everything = sorted(paths)
    # With a server.R, Shiny ignores app.R.
    has_server = any(name.lower() == "server.r" for name in beside)
    mains = ("global.r", "ui.r", "server.r") if has_server else ("app.r",)
    own = {
        name: next((path for path in everything if path.lower() == name), None) for name in mains
    }
    loaded = [path for path in everything if path.startswith("R/") and path.count("/") == 1]
    if any(path.lower() == "r/_disable_autoload.r" for path in loaded):
        loaded = []
    run = [*loaded, *(path for path in own.values() if path is not None)]
    return Files(
        run if own[mains[-1]] is not None else [],
        [path for path in everything if path not in run],
        beside,
    )


def _command(mark: str, files: Files, elsewhere: bool) -> list[str]:
    wanted = "server" if files.run[-1].lower() == "server.r" else "appobj"
    return [
        "R",
        "--no-echo",
        "--no-save",
        "--no-restore",
        "--no-init-file",
        "--no-environ",
        "--file=check.R",
        "--args",
        mark,
        wanted,
        "elsewhere" if elsewhere else "here",
    ]


def _variables(libraries: str) -> dict[str, str]:
    return {"R_LIBS": libraries, "R_LIBS_USER": "NULL"}


def _own_program(settings: AppSettings) -> str:
    return settings.r_path


BUILD = Build(
    restore=_restore,
    check=Check(
        endings=(".r",),
        scripts=(Path(check.__file__).with_name("check.R"),),
        files=files_of,
        command=_command,
        variables=_variables,
        own_program=_own_program,
    ),
)
