"""Starting a Shiny app in R: by a fork of the preloaded R, or by a fresh R."""

from pathlib import Path

from agent.processes.command import Runtime, WorkerSpec, hosted, started
from chalicelib.kinds.shiny_r import KIND

__all__ = ["KIND", "RUNTIME"]

_FOLDER = Path(__file__).parents[2] / "r"
_SCRIPTS = tuple(_FOLDER / name for name in ("serve.R", "start.R"))
"""R runs the last one."""


def _command(spec: WorkerSpec, private: Path, _interpreter: int) -> list[str]:
    options = ["--no-echo", "--no-save", "--no-restore"]
    return started(spec, [spec.program or "R", *options, f"--file={private / _SCRIPTS[-1].name}"])


def _environment(spec: WorkerSpec, private: Path) -> dict[str, str]:
    """Return R's whole environment."""
    result = {**hosted(spec, private), "R_CONFIG_ACTIVE": "shinyapps"}
    if spec.account is None:
        # The app's .Rprofile may load renv or packrat, which would now fetch packages and write
        # them beside the app. In place, they find the project's own library.
        result["RENV_CONFIG_AUTOLOADER_ENABLED"] = "FALSE"
    if spec.library is not None:
        result["R_LIBS"] = str(spec.library)
    return {**result, **spec.environment}


RUNTIME = Runtime(
    language="R",
    quits="quit() or stopApp()",
    setting="r_path",
    own_program=lambda settings: settings.r_path,
    scripts=_SCRIPTS,
    command=_command,
    environment=_environment,
    forks=True,
)
