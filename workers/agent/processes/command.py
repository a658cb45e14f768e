"""How R is started: its command line, its environment and its parameters."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from machine import begin
from machine import room as rooms
from machine.room import Link, Seen
from machine.untrusted import Folder

SOCKET = "run/r.sock"
"""In the worker's private folder, as are the next two; ``run`` is a folder of its own, for the socket is made by the app's user."""
TMP = "tmp"
HOME = "home"
USER = "shiny"
"""What the app's user is called."""
_WORKERS = Path(__file__).parents[2]
OF_R = tuple(_WORKERS / "r" / name for name in ("serve.R", "start.R"))
"""What a fresh R runs: the last, with what that needs."""
OF_PYTHON = tuple(_WORKERS / "python" / name for name in ("sheen_relay.py", "start.py"))
PATH = "/usr/local/bin:/usr/bin:/bin"
"""Where a worker's programs are looked for."""
_SETPRIV = "/usr/bin/setpriv"
_PRLIMIT = "/usr/bin/prlimit"
_NSENTER = "/usr/bin/nsenter"
PROCESSES = 1000
"""Processes and threads of an app's user on one machine."""
LARGEST_FILE = 8 * 1024**3
"""Bytes."""
_LOOKING = 10.0
"""Seconds to look whether a program is there."""
_LARGEST_DESCRIPTION = 1024 * 1024

_AT_START = re.compile(r"(_?R_(?!CONFIG_ACTIVE$)|LD_|OMP_|OPENBLAS_|MKL_|GOTO_|BLIS_|KMP_|MALLOC_|GLIBC_|LC_|LANG)")
"""Variables that R, its libraries or the loader read when the process starts: an R that runs already would not obey them."""
_STARTUP_FILES = (".Rprofile", ".Renviron")
_OF_PRELOADED = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""A BLAS with threads starts them when it is loaded, and they would not be there after a fork (FACTS R5)."""

SHINY_SERVER_VERSION = "1.5.20"
"""Apps and packages ask SHINY_PORT and SHINY_SERVER_VERSION whether they are hosted; Shiny itself wants 0.3.4 or later."""


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """One R process that is to be, or a Python process that serves an app in Python."""

    worker_id: str
    """``<version>.<slot>.<n>``: Shiny puts it into its per-session URLs (FACTS S3)."""
    directory: Path
    """The app's copy of the version's files: the working directory."""
    unix_id: int | None
    """User and group of the process; None: those of the agent."""
    secret: str = field(repr=False)
    """The Shiny shared secret (FACTS S2)."""
    sanitize_errors: bool
    init_timeout: float
    """``app_init_timeout`` in seconds."""
    library: Path | None = None
    """The version's own packages; None: those of the image."""
    groups: tuple[int, ...] = ()
    """More groups of the process: those of the synced folders that the app may see."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """More variables: the app's own, its secrets, and where its data is."""
    preload: bool = True
    """Whether it may be forked from an R that has Shiny loaded."""
    bookmarks: Path | None = None
    """Where the app's bookmarked states are, on the file system that its instances share; None: it has no such place."""
    entrypoint: str | None = None
    """Where the app object of an app in Python is, as in ``app:app``; None: the app is in R."""
    program: str = ""
    """Path of the R or the Python that runs it; empty: the image's."""
    supervisor: tuple[str, ...] = ()
    """A command that is put before it (``exec_supervisor``)."""
    hidden: tuple[Path, ...] = ()
    """Folders that are empty for it, where the machine allows that, but for what is ``seen`` (:mod:`machine.room`)."""
    seen: tuple[Seen, ...] = ()
    """What it finds there."""
    links: tuple[Link, ...] = ()
    """And the links."""
    room: int = -1
    """The descriptor of its own mount namespace; -1: it has none."""

    @property
    def language(self) -> str:
        """What runs it, for messages."""
        return "R" if self.entrypoint is None else "Python"


def command(spec: WorkerSpec, private: Path, _interpreter: int = -1) -> list[str]:
    """Return the command line of R. It reads :func:`machine.begin.variables` of its environment first, then :func:`parameters`."""
    return started(spec, [spec.program or "R", "--no-echo", "--no-save", "--no-restore", f"--file={private / OF_R[-1].name}"])


def started(spec: WorkerSpec, program: Sequence[str], descriptor: int = -1) -> list[str]:
    """Return the command line by which ``program`` (or ``descriptor``: :func:`machine.begin.command`) is started for a worker.

    ``setpriv`` becomes the program without a fork: no new privileges, no other groups than the spec's, no capabilities, and SIGKILL from
    the kernel when the agent dies. Without ``unix_id`` (an agent that is not root) user and groups stay.
    """
    return [*unprivileged(spec), *begin.command(spec.directory, [*spec.supervisor, *program], descriptor)]


def unprivileged(spec: WorkerSpec) -> list[str]:
    """Return what a command line begins with whose program has what the app's user may do and no more."""
    drop = ["--no-new-privs", "--pdeathsig", "KILL"]
    if spec.unix_id is not None:
        drop += ["--reuid", str(spec.unix_id), "--regid", str(spec.unix_id)]
        drop += ["--groups", ",".join(map(str, spec.groups))] if spec.groups else ["--clear-groups"]
        drop += ["--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all"]
    enter = [_NSENTER, f"--mount=/proc/self/fd/{spec.room}", "--"] if spec.room >= 0 else []
    return [*enter, *limited(own_user=spec.unix_id is not None), _SETPRIV, *drop, "--"]


def passed(spec: WorkerSpec) -> tuple[int, ...]:
    """Return the descriptors that :func:`unprivileged` needs."""
    return (spec.room,) if spec.room >= 0 else ()


def limited(*, own_user: bool) -> list[str]:
    """Return what sets the limits of a worker's processes. ``own_user``: nobody else's processes count as theirs."""
    limits = ["--core=0", f"--fsize={LARGEST_FILE}"]
    if own_user:
        limits.append(f"--nproc={PROCESSES}")
    return [_PRLIMIT, *limits, "--"]


def missing(spec: WorkerSpec) -> str | None:
    """Say which program that the app's settings name is not there for the app's user; None when all are."""
    own = "r_path" if spec.entrypoint is None else "python"
    for setting, program in (("exec_supervisor", next(iter(spec.supervisor), "")), (own, spec.program)):
        if program and not _is_there(spec, program):
            way_out = f"name one that it has, in sheen.toml or by sheen configure /PATH {setting}=…"
            return f'setting {setting}: the image has no program "{program}"; {way_out}'
    return None


def _is_there(spec: WorkerSpec, program: str) -> bool:
    if "/" not in program:
        return shutil.which(program, path=PATH) is not None
    # It may be anywhere, also behind an app's link: so the app's user looks.
    look = ["/usr/bin/test", "-f", str(spec.directory / program), "-a", "-x", str(spec.directory / program)]
    try:
        found = subprocess.run(
            [*unprivileged(spec), *look],
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


def environment(spec: WorkerSpec, private: Path, agent: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return R's whole environment; of the agent's own only the time zone goes into it.

    ``private`` is the process's own folder, with ``tmp`` and ``home`` in it.
    """
    result = {
        **hosted(spec, private, agent),
        "R_CONFIG_ACTIVE": "shinyapps",
        # An app's .Rprofile may come with renv's or packrat's, which would fetch packages now and write them beside the app.
        "RENV_CONFIG_AUTOLOADER_ENABLED": "FALSE",
    }
    if spec.library is not None:
        result["R_LIBS"] = str(spec.library)
    return {**result, **spec.environment}


def hosted(spec: WorkerSpec, private: Path, agent: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what every worker's environment has, whatever its language."""
    result = {
        "PATH": PATH,
        "HOME": str(private / HOME),
        "TMPDIR": str(private / TMP),
        "USER": USER,
        "LOGNAME": USER,
        "LANG": "C.UTF-8",
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
    """Say why a worker cannot be forked; None when it can."""
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
    """Return the packages of ``library`` that are ``loaded`` in another version."""
    with Folder.at(library) as packages:
        there = set(packages.names())
        return sorted(name for name in loaded.keys() & there if _version(packages, name) != loaded[name])


def preloaded_command(script: Path, control: int, *, root: bool) -> list[str]:
    """Return the command line of the R that workers are forked from; ``control`` is its socket's descriptor.

    As root it keeps what it takes to make a worker another user, and to let it into its room, and no more: it can read and change no
    other user's files.
    """
    drop = ["--no-new-privs", "--pdeathsig", "KILL"]
    if root:
        kept = "+setuid,+setgid,+setpcap" + (",+sys_admin,+sys_chroot" if rooms.possible() else "")
        drop += ["--clear-groups", "--inh-caps=-all", "--ambient-caps=-all", f"--bounding-set=-all,{kept}"]
    program = ["R", "--no-echo", "--no-save", "--no-restore", f"--file={script}", "--args", str(control)]
    return [*limited(own_user=root), _SETPRIV, *drop, "--", *program]


def preloaded_environment(folder: Path) -> dict[str, str]:
    """Return its environment; workers replace it by their own."""
    return {"PATH": PATH, "HOME": str(folder), "TMPDIR": str(folder), "LANG": "C.UTF-8", **_OF_PRELOADED}


def forked_parameters(spec: WorkerSpec, private: Path, mark: str) -> bytes:
    """Return what a worker that r/preloaded.R forked reads from its standard input."""
    values = _values(spec, private, mark) | {"directory": str(spec.directory), "unset": " ".join(_OF_PRELOADED)}
    variables = {
        f"environment.{name}": value.replace("%", "%25").replace("\n", "%0A").replace("\r", "%0D")
        for name, value in environment(spec, private).items()
    }
    return _lines(values | variables)


def _version(packages: Folder, name: str) -> str | None:
    try:
        with packages.enter_own(name) as package:  # where it was restored, a link into the cache
            description = package.read_linked("DESCRIPTION", _LARGEST_DESCRIPTION).decode(errors="replace")
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in description.splitlines() if line.startswith("Version:")), None)


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
