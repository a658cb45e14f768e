"""R in this task's image, which is the workers' too, and the packages in it."""

import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from chalicelib.errors import Broken
from tasks.packages import dcf, versions

_QUESTION = (
    'cat(paste0(R.version$major, ".", R.version$minor), R.version$platform, .libPaths(), sep '
    '= "\\n")'
)
_MIRROR = (
    'r <- getOption("repos")["CRAN"]; '
    'if (is.na(r) || r == "@CRAN@") r <- getCRANmirrors(local.only = TRUE)$URL[1]; '
    'cat("", r, "", sep = "\\n")'
)
"""Asks for the repository of R's site profile, otherwise for the first of R's own list."""
_PATIENCE = 60.0


class NoR(Broken):
    """The task's image has no working R."""


@dataclass(frozen=True, slots=True)
class RPackage:
    """One installed package."""

    name: str
    version: str
    needs: tuple[versions.Dependency, ...] = ()


@dataclass(frozen=True, slots=True)
class RInstallation:
    """R and its packages."""

    r_version: str
    """R's version, such as ``4.2.2``."""
    platform: str
    """The platform that packages are compiled for, including R's own series; a folder's name.

    An example is ``R-4.2-x86_64-pc-linux-gnu-debian-12``.
    """
    packages: Mapping[str, RPackage]


def look() -> RInstallation:
    """Ask R for its version, and read the packages of its libraries; raise :class:`NoR`."""
    version, platform, *libraries = _ask("--vanilla", _QUESTION, at_least=2)
    system = _read(Path("/etc/os-release").read_text())
    series = ".".join(version.split(".")[:2])
    return RInstallation(
        version, f"R-{series}-{platform}-{system}", packages_in(map(Path, libraries))
    )


def mirror() -> str:
    """Ask R for the repository that it installs packages from by itself; raise :class:`NoR`."""
    return _ask("--no-init-file", _MIRROR, at_least=1)[-1]


def _ask(option: str, question: str, at_least: int) -> list[str]:
    try:
        said = subprocess.run(
            ["R", "--no-echo", "--no-save", "--no-restore", option, "-e", question],
            env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=True,
        ).stdout.split("\n")
        lines = [line for line in said if line]
        if len(lines) < at_least:
            raise ValueError(f"it says {said}")
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise NoR(
            f"R does not say what it is ({error}); the task's image must have it "
            "(workers/install.sh)"
        ) from error
    return lines


def packages_in(libraries: Iterable[Path]) -> dict[str, RPackage]:
    """Read the packages of some libraries; the first of two with one name wins, as in R."""
    found: dict[str, RPackage] = {}
    for library in libraries:
        for file in sorted(library.glob("*/DESCRIPTION")):
            record = dcf.record(file.read_text(errors="replace"))
            name, version = record.get("Package", ""), record.get("Version", "")
            if versions.is_name(name) and versions.is_version(version):
                found.setdefault(name, RPackage(name, version, versions.strong_needs(record)))
    return found


def _read(os_release: str) -> str:
    pairs = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line)
    return "-".join(
        pairs.get(name, "unknown").strip('"').replace("/", "_") for name in ("ID", "VERSION_ID")
    )
