"""What the start of a process takes, whatever the kind: its spec, command line and parameters."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chalicelib.configuration.app_settings import BOOKMARKS_OFF, AppSettings
from machine import begin, unprivileged
from machine.account import Account
from machine.room import Link, VisibleFolder

SOCKET = "run/r.sock"
"""Path in the worker's private folder; ``TMP`` and ``HOME`` are there, too.

``run`` is a separate folder because the app's user makes the socket.
"""
TMP = "tmp"
HOME = "home"
USER = "shiny"
"""The user name that the app sees."""
_NSENTER = "/usr/bin/nsenter"
LARGEST_FILE = 8 * 1024**3
"""Largest file that a worker may write, in bytes."""
_LOOKING = 10.0
"""Seconds that the check for a program may take."""
SHINY_SERVER_VERSION = "1.5.20"
"""Version in SHINY_SERVER_VERSION; Shiny itself requires 0.3.4 or later.

Apps and packages use SHINY_PORT and SHINY_SERVER_VERSION to find out whether they are hosted.
"""


@dataclass(frozen=True, slots=True)
class Runtime:
    """How the processes of one kind start: the contract of the modules in :mod:`agent.kinds`.

    A process reads :func:`parameters` from its standard input, and says how far its start is by
    lines on stderr (:mod:`agent.processes.output`). It serves the app on the unix socket
    :data:`SOCKET` of its private folder, which its variable ``SHINY_PORT`` names, and answers only
    requests that carry the secret.
    """

    language: str
    """What the process is, for messages: R, or Python."""
    quits: str
    """What an app's code calls to end its process, for messages."""
    setting: str
    """The app's setting that names another program, for messages."""
    own_program: Callable[[AppSettings], str]
    """Returns the program that the app's settings name; empty for the image's."""
    scripts: tuple[Path, ...]
    """Files that a fresh process needs; they are put into its private folder."""
    command: Callable[["WorkerSpec", Path, int], list[str]]
    """Takes the spec, the private folder and a descriptor of this process's own Python."""
    environment: Callable[["WorkerSpec", Path], dict[str, str]]
    """Takes the spec and the private folder; returns the process's whole environment."""
    parameters: Callable[["WorkerSpec"], Mapping[str, str]] = lambda spec: {}
    """Returns what the process reads in addition to what all processes read."""
    forks: bool = False
    """Whether its workers can be forked from the preloaded R (:mod:`agent.processes.preloaded`)."""
    longest_credentials: int = 60_000
    """Bytes of the header that says who is signed in: what its server takes of one header."""
    seen: Callable[[], tuple[VisibleFolder, ...]] = tuple
    """Returns folders of its program that a room would hide."""


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """What is needed to start one process of an app."""

    runtime: Runtime
    """How processes of the app's kind start."""
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
    headers: tuple[str, ...] = ()
    """Headers of visitors' requests that it gets beside the usual ones (``whitelist_headers``)."""
    keeps_bookmarks: bool = True
    """Whether the app may store its visitors' states at all (``bookmark_state_dir``)."""
    bookmarks: Path | None = None
    """Folder of the app's bookmarked states, on the file system that its instances share.

    None if the app has no such folder.
    """
    entrypoint: str = ""
    """What the process needs to know to start, such as ``app:app``; empty if nothing."""
    program: str = ""
    """Path of the R or Python that runs it; empty for the image's."""
    supervisor: tuple[str, ...] = ()
    """A command that goes before the program (``exec_supervisor``)."""
    hidden: tuple[Path, ...] = ()
    """Folders that appear empty to the process except for what is ``seen`` (:mod:`machine.room`).

    They stay visible where the machine does not allow rooms.
    """
    seen: tuple[VisibleFolder, ...] = ()
    """Folders that are visible inside the hidden ones."""
    links: tuple[Link, ...] = ()
    """Links that are visible inside the hidden folders."""
    account: Account | None = None
    """The user, of an app that runs in place; other apps and people may be the same user.

    None: the app has a user of its own, without a name.
    """
    home: Path | None = None
    """The user's home; None: a folder of the process's own."""
    startup: tuple[str, ...] | None = None
    """Files that R reads when it starts, as far as they are there; None: look into the folder."""
    room: int = -1
    """Descriptor of the process's own mount namespace; -1 if it has none."""

    @property
    def group(self) -> int | None:
        """The user's own group; None for those of the agent."""
        return self.unix_id if self.account is None or self.unix_id is None else self.account.group


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
        *unprivileged.limited(
            LARGEST_FILE, own_user=spec.unix_id is not None and spec.account is None
        ),
        *unprivileged.as_user(spec.unix_id, spec.groups, spec.group),
    ]


def passed(spec: WorkerSpec) -> tuple[int, ...]:
    """Return the descriptors that :func:`as_app` needs."""
    return (spec.room,) if spec.room >= 0 else ()


def missing(spec: WorkerSpec) -> str | None:
    """Return a message about a program that the app's settings name but its user does not have.

    Return None if all programs exist.
    """
    for setting, program in (
        ("exec_supervisor", next(iter(spec.supervisor), "")),
        (spec.runtime.setting, spec.program),
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


def hosted(
    spec: WorkerSpec, private: Path, agent: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the environment that all workers share, whatever their language."""
    user = spec.account.name if spec.account is not None else USER
    result = {
        **unprivileged.variables(spec.home or private / HOME, private / TMP),
        "USER": user,
        "LOGNAME": user,
        "WORKER_ID": spec.worker_id,
        "SHINY_PORT": str(private / SOCKET),
        "SHINY_SERVER_VERSION": SHINY_SERVER_VERSION,
    }
    if "TZ" in agent:
        result["TZ"] = agent["TZ"]
    if (pandoc := shutil.which("pandoc", path=unprivileged.PATH)) is not None:
        result["RSTUDIO_PANDOC"] = str(Path(pandoc).parent)
    return result


def parameters(spec: WorkerSpec, private: Path, mark: str) -> bytes:
    """Return what a fresh process reads from its standard input."""
    return lines({**values(spec, private, mark), **spec.runtime.parameters(spec)})


def lines(told: Mapping[str, str]) -> bytes:
    """Return values as a process reads them, one a line."""
    return "".join(f"{name}={value}\n" for name, value in told.items()).encode()


def values(spec: WorkerSpec, private: Path, mark: str) -> dict[str, str]:
    """Return what every process reads, forked or fresh."""
    return {
        "mark": mark,
        "secret": spec.secret,
        "socket": str(private / SOCKET),
        "sanitize_errors": "true" if spec.sanitize_errors else "false",
        "bookmarks": str(spec.bookmarks or "") if spec.keeps_bookmarks else BOOKMARKS_OFF,
    }
