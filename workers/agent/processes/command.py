"""How R is started: its command line, its environment and its parameters."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from machine import begin, unprivileged
from machine import room as rooms
from machine.room import Link, Seen
from machine.untrusted import Folder

SOCKET = "run/r.sock"
"""Path in the worker's private folder; ``TMP`` and ``HOME`` are there, too.

``run`` is a separate folder because the app's user makes the socket.
"""
TMP = "tmp"
HOME = "home"
USER = "shiny"
"""The user name that the app sees."""
_WORKERS = Path(__file__).parents[2]
OF_R = tuple(_WORKERS / "r" / name for name in ("serve.R", "start.R"))
"""Files that a fresh R needs; it runs the last one."""
OF_PYTHON = tuple(_WORKERS / "python" / name for name in ("sheen_relay.py", "start.py"))
_NSENTER = "/usr/bin/nsenter"
LARGEST_FILE = 8 * 1024**3
"""Largest file that a worker may write, in bytes."""
_LOOKING = 10.0
"""Seconds that the check for a program may take."""
_LARGEST_DESCRIPTION = 1024 * 1024

_AT_START = re.compile(
    r"(_?R_(?!CONFIG_ACTIVE$)|LD_|OMP_|OPENBLAS_|MKL_|GOTO_|BLIS_|KMP_|MALLOC_|GLIBC_|LC_|LANG)"
)
"""Variables that R, its libraries or the loader read when the process starts.

An R that already runs would ignore them.
"""
_STARTUP_FILES = (".Rprofile", ".Renviron")
_OF_PRELOADED = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""A BLAS starts its threads when it is loaded, and a fork does not copy them (FACTS R5)."""

SHINY_SERVER_VERSION = "1.5.20"
"""Version in SHINY_SERVER_VERSION; Shiny itself requires 0.3.4 or later.

Apps and packages use SHINY_PORT and SHINY_SERVER_VERSION to find out whether they are hosted.
"""


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """What is needed to start one R process, or one Python process for an app in Python."""

    worker_id: str
    """``<version>.<slot>.<n>``; Shiny puts it into its per-session URLs (FACTS S3)."""
    directory: Path
    """The app's copy of the version's files; it is the working directory."""
    unix_id: int | None
    """User and group of the process; None for those of the agent."""
    secret: str = field(repr=False)
    """The Shiny shared secret (FACTS S2)."""
    sanitize_errors: bool
    init_timeout: float
    """``app_init_timeout`` in seconds."""
    library: Path | None = None
    """Folder of the version's own packages; None for the image's packages."""
    groups: tuple[int, ...] = ()
    """Additional groups of the process: those of the synced folders that the app may see."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Additional variables: the app's own, its secrets, and the place of its data."""
    preload: bool = True
    """Whether it may be forked from an R that has Shiny loaded."""
    bookmarks: Path | None = None
    """Folder of the app's bookmarked states, on the file system that its instances share.

    None if the app has no such folder.
    """
    entrypoint: str | None = None
    """Where a Python app's object is, as in ``app:app``; None if the app is in R."""
    program: str = ""
    """Path of the R or Python that runs it; empty for the image's."""
    supervisor: tuple[str, ...] = ()
    """A command that goes before the program (``exec_supervisor``)."""
    hidden: tuple[Path, ...] = ()
    """Folders that appear empty to the process except for what is ``seen`` (:mod:`machine.room`).

    They stay visible where the machine does not allow rooms.
    """
    seen: tuple[Seen, ...] = ()
    """Folders that are visible inside the hidden ones."""
    links: tuple[Link, ...] = ()
    """Links that are visible inside the hidden folders."""
    room: int = -1
    """Descriptor of the process's own mount namespace; -1 if it has none."""

    @property
    def language(self) -> str:
        """The name of the language, for messages."""
        return "R" if self.entrypoint is None else "Python"


def command(spec: WorkerSpec, private: Path, _interpreter: int = -1) -> list[str]:
    """Return the command line of R.

    The process first reads :func:`machine.begin.variables` of its environment, then
    :func:`parameters`.
    """
    return started(
        spec,
        [
            spec.program or "R",
            "--no-echo",
            "--no-save",
            "--no-restore",
            f"--file={private / OF_R[-1].name}",
        ],
    )


def started(spec: WorkerSpec, program: Sequence[str], descriptor: int = -1) -> list[str]:
    """Return the command line that starts ``program`` for a worker.

    For ``descriptor`` see :func:`machine.begin.command`.

    ``setpriv`` becomes the program without a fork. The program gets no new privileges, no other
    groups than the spec's and no capabilities, and the kernel sends it SIGKILL when the agent dies.
    Without ``unix_id`` (an agent that is not root) user and groups stay the same.
    """
    return [
        *as_app(spec),
        *begin.command(spec.directory, [*spec.supervisor, *program], descriptor),
    ]


def as_app(spec: WorkerSpec) -> list[str]:
    """Return the start of a command line whose program has the rights of the app's user only."""
    enter = [_NSENTER, f"--mount=/proc/self/fd/{spec.room}", "--"] if spec.room >= 0 else []
    return [
        *enter,
        *unprivileged.limited(LARGEST_FILE, own_user=spec.unix_id is not None),
        *unprivileged.as_user(spec.unix_id, spec.groups),
    ]


def passed(spec: WorkerSpec) -> tuple[int, ...]:
    """Return the descriptors that :func:`as_app` needs."""
    return (spec.room,) if spec.room >= 0 else ()


def missing(spec: WorkerSpec) -> str | None:
    """Return a message about a program that the app's settings name but its user does not have.

    Return None if all programs exist.
    """
    own = "r_path" if spec.entrypoint is None else "python"
    for setting, program in (
        ("exec_supervisor", next(iter(spec.supervisor), "")),
        (own, spec.program),
    ):
        if program and not _is_there(spec, program):
            way_out = f"name one that it has, in sheen.toml or by sheen configure /PATH {setting}=…"
            return f'setting {setting}: the image has no program "{program}"; {way_out}'
    return None


def _is_there(spec: WorkerSpec, program: str) -> bool:
    if "/" not in program:
        return shutil.which(program, path=unprivileged.PATH) is not None
    # The program may be anywhere, even behind a link of the app's. So the check runs as the app's
    # user.
    look = [
        "/usr/bin/test",
        "-f",
        str(spec.directory / program),
        "-a",
        "-x",
        str(spec.directory / program),
    ]
    try:
        found = subprocess.run(
            [*as_app(spec), *look],
            env={},
            pass_fds=passed(spec),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_LOOKING,
        )
    except subprocess.TimeoutExpired:
        return False
    return found.returncode == 0


def environment(
    spec: WorkerSpec, private: Path, agent: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return R's whole environment; the agent's own environment adds only the time zone.

    ``private`` is the process's own folder, with ``tmp`` and ``home`` in it.
    """
    result = {
        **hosted(spec, private, agent),
        "R_CONFIG_ACTIVE": "shinyapps",
        # The app's .Rprofile may load renv or packrat, which would now fetch packages and write
        # them beside the app.
        "RENV_CONFIG_AUTOLOADER_ENABLED": "FALSE",
    }
    if spec.library is not None:
        result["R_LIBS"] = str(spec.library)
    return {**result, **spec.environment}


def hosted(
    spec: WorkerSpec, private: Path, agent: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the environment that all workers share, whatever their language."""
    result = {
        **unprivileged.variables(private / HOME, private / TMP),
        "USER": USER,
        "LOGNAME": USER,
        "WORKER_ID": spec.worker_id,
        "SHINY_PORT": str(private / SOCKET),
        "SHINY_SERVER_VERSION": SHINY_SERVER_VERSION,
    }
    if "TZ" in agent:
        result["TZ"] = agent["TZ"]
    return result


def parameters(spec: WorkerSpec, private: Path, mark: str) -> bytes:
    """Return what r/start.R or python/start.py reads from its standard input."""
    values = _values(spec, private, mark)
    if spec.entrypoint is not None:
        values |= {"entrypoint": spec.entrypoint, "worker": spec.worker_id}
    return _lines(values)


def needs_fresh(spec: WorkerSpec) -> str | None:
    """Return why a worker cannot be forked; None if it can."""
    if not spec.preload:
        return "preload is false"
    if spec.program or spec.supervisor:
        return "r_path is set" if spec.program else "exec_supervisor is set"
    for name in spec.environment:
        if _AT_START.match(name):
            return f"{name} is read when R starts"
    with Folder.at(spec.directory) as version:
        there = set(version.names())
    return next((f"the app has a file {name}" for name in _STARTUP_FILES if name in there), None)


def other_versions(library: Path, loaded: Mapping[str, str]) -> list[str]:
    """Return the packages in ``library`` whose version differs from the ``loaded`` one."""
    with Folder.at(library) as packages:
        there = set(packages.names())
        return sorted(
            name for name in loaded.keys() & there if _version(packages, name) != loaded[name]
        )


def preloaded_command(script: Path, control: int, *, root: bool) -> list[str]:
    """Return the command line of the R from which workers are forked.

    ``control`` is the descriptor of its socket. As root, it keeps only the capabilities to give a
    worker another user and to let it into its room. It can neither read nor change other users'
    files.
    """
    kept = [
        "setuid",
        "setgid",
        "setpcap",
        *(("sys_admin", "sys_chroot") if rooms.possible() else ()),
    ]
    drop = unprivileged.as_root_with(kept) if root else unprivileged.as_user(None)
    program = [
        "R",
        "--no-echo",
        "--no-save",
        "--no-restore",
        f"--file={script}",
        "--args",
        str(control),
    ]
    return [*unprivileged.limited(LARGEST_FILE, own_user=root), *drop, *program]


def preloaded_environment(folder: Path) -> dict[str, str]:
    """Return the environment of the preloaded R; workers replace it with their own."""
    return unprivileged.variables(folder, folder) | _OF_PRELOADED


def forked_parameters(spec: WorkerSpec, private: Path, mark: str) -> bytes:
    """Return what a worker forked by r/preloaded.R reads from its standard input."""
    values = _values(spec, private, mark) | {
        "directory": str(spec.directory),
        "unset": " ".join(_OF_PRELOADED),
    }
    variables = {
        f"environment.{name}": value.replace("%", "%25").replace("\n", "%0A").replace("\r", "%0D")
        for name, value in environment(spec, private).items()
    }
    return _lines(values | variables)


def _version(packages: Folder, name: str) -> str | None:
    try:
        # A restored package may be a link into the cache.
        with packages.enter_own(name) as package:
            description = package.read_linked("DESCRIPTION", _LARGEST_DESCRIPTION).decode(
                errors="replace"
            )
    except OSError:
        return None
    return next(
        (
            line.partition(":")[2].strip()
            for line in description.splitlines()
            if line.startswith("Version:")
        ),
        None,
    )


def _lines(values: Mapping[str, str]) -> bytes:
    return "".join(f"{name}={value}\n" for name, value in values.items()).encode()


def _values(spec: WorkerSpec, private: Path, mark: str) -> dict[str, str]:
    return {
        "mark": mark,
        "secret": spec.secret,
        "socket": str(private / SOCKET),
        "sanitize_errors": "true" if spec.sanitize_errors else "false",
        "bookmarks": str(spec.bookmarks or ""),
    }
