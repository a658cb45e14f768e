"""Whether a worker may be forked from the preloaded R, and what that R and its workers are told."""

import re
from collections.abc import Mapping
from pathlib import Path

from agent.processes.command import LARGEST_FILE, WorkerSpec, lines, values
from machine import room as rooms
from machine import unprivileged
from machine.untrusted import Folder

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


def needs_fresh(spec: WorkerSpec) -> str | None:
    """Return why a worker cannot be forked; None if it can."""
    if not spec.preload:
        return "preload is false"
    if spec.program or spec.supervisor:
        return "r_path is set" if spec.program else "exec_supervisor is set"
    for name in spec.environment:
        if _AT_START.match(name):
            return f"{name} is read when R starts"
    if spec.startup is not None:
        return next((f"there is {path}" for path in spec.startup), None)
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


def command(script: Path, control: int, *, root: bool) -> list[str]:
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


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of the preloaded R; workers replace it with their own."""
    return unprivileged.variables(folder, folder) | _OF_PRELOADED


def parameters(spec: WorkerSpec, private: Path, mark: str) -> bytes:
    """Return what a worker forked by r/preloaded.R reads from its standard input."""
    told = values(spec, private, mark) | {
        "directory": str(spec.directory),
        "unset": " ".join(_OF_PRELOADED),
    }
    variables = {
        f"environment.{name}": value.replace("%", "%25").replace("\n", "%0A").replace("\r", "%0D")
        for name, value in spec.runtime.environment(spec, private).items()
    }
    return lines(told | variables)


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
