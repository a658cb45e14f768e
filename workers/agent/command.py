"""How R is started: its command line, its environment and its parameters. No I/O."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SOCKET = "r.sock"
SCRIPT = "start.R"

SHINY_SERVER_VERSION = "1.5.20"
"""Apps and packages ask SHINY_PORT and SHINY_SERVER_VERSION whether they are hosted; Shiny itself wants 0.3.4 or later."""


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """One R process that is to be."""

    worker_id: str
    """``<version>.<slot>.<n>``: Shiny puts it into its per-session URLs (FACTS S3)."""
    directory: Path
    """The version's files: the working directory."""
    unix_id: int | None
    """User and group of the process; None: those of the agent."""
    secret: str = field(repr=False)
    """The Shiny shared secret (FACTS S2)."""
    sanitize_errors: bool
    init_timeout: float
    """``app_init_timeout`` in seconds."""
    library: Path | None = None
    """The version's own R packages; None: those of the image."""
    bookmarks: Path | None = None
    """Where the app's bookmarked states are, on the file system that its instances share; None: it has no such place."""


def command(script: Path, unix_id: int | None) -> list[str]:
    """Return the command line.

    ``setpriv`` becomes R without a fork: no new privileges, no supplementary groups, no capabilities, and SIGKILL from the kernel when the
    agent dies. Without ``unix_id`` (an agent that is not root) user and groups stay.
    """
    drop = ["--no-new-privs", "--pdeathsig", "KILL"]
    if unix_id is not None:
        drop += ["--reuid", str(unix_id), "--regid", str(unix_id), "--clear-groups"]
        drop += ["--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all"]
    return ["/usr/bin/setpriv", *drop, "--", "R", "--no-echo", "--no-save", "--no-restore", f"--file={script}"]


def environment(spec: WorkerSpec, private: Path, agent: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return R's whole environment; of the agent's own only the time zone goes into it.

    ``private`` is the process's own folder, with ``tmp`` and ``home`` in it.
    """
    result = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(private / "home"),
        "TMPDIR": str(private / "tmp"),
        "USER": "shiny",
        "LOGNAME": "shiny",
        "LANG": "C.UTF-8",
        "R_CONFIG_ACTIVE": "shinyapps",
        "WORKER_ID": spec.worker_id,
        "SHINY_PORT": str(private / SOCKET),
        "SHINY_SERVER_VERSION": SHINY_SERVER_VERSION,
        # An app's .Rprofile may come with renv's or packrat's, which would fetch packages now and write them beside the app.
        "RENV_CONFIG_AUTOLOADER_ENABLED": "FALSE",
    }
    if spec.library is not None:
        result["R_LIBS"] = str(spec.library)
    if "TZ" in agent:
        result["TZ"] = agent["TZ"]
    return result


def parameters(spec: WorkerSpec, private: Path, mark: str) -> bytes:
    """Return what r/start.R reads from its standard input."""
    values = {
        "mark": mark,
        "secret": spec.secret,
        "socket": str(private / SOCKET),
        "sanitize_errors": "true" if spec.sanitize_errors else "false",
        "bookmarks": str(spec.bookmarks or ""),
    }
    return "".join(f"{name}={value}\n" for name, value in values.items()).encode()
