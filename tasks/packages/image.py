"""The R that this task's image has, which is the workers' too, and the packages that are in it."""

import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from chalicelib.errors import SheenError
from tasks.packages import dcf, versions

_QUESTION = 'cat(paste0(R.version$major, ".", R.version$minor), R.version$platform, .libPaths(), sep = "\\n")'
_PATIENCE = 60.0


class NoR(SheenError):
    """The task's image has no R that works."""


@dataclass(frozen=True, slots=True)
class Installed:
    """One package."""

    name: str
    version: str
    needs: tuple[versions.Need, ...] = ()


@dataclass(frozen=True, slots=True)
class Image:
    """R and its packages."""

    r_version: str
    """As in ``4.2.2``."""
    platform: str
    """What packages are compiled for, R's own series included: ``R-4.2-x86_64-pc-linux-gnu-debian-12``. A folder's name."""
    packages: Mapping[str, Installed]


def look() -> Image:
    """Ask R, and read the descriptions in its libraries. Raise :class:`NoR`."""
    try:
        said = subprocess.run(
            ["R", "--no-echo", "--vanilla", "-e", _QUESTION],
            env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=True,
        ).stdout.split("\n")
        version, platform, *libraries = [line for line in said if line]
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise NoR(f"R does not say what it is ({error}); the task's image must have it (workers/install.sh)") from error
    system = _read(Path("/etc/os-release").read_text())
    series = ".".join(version.split(".")[:2])
    return Image(version, f"R-{series}-{platform}-{system}", packages_in(map(Path, libraries)))


def packages_in(libraries: Iterable[Path]) -> dict[str, Installed]:
    """Read what is in some libraries; of two of one name the first is the one that R takes."""
    found: dict[str, Installed] = {}
    for library in libraries:
        for file in sorted(library.glob("*/DESCRIPTION")):
            record = dcf.record(file.read_text(errors="replace"))
            name, version = record.get("Package", ""), record.get("Version", "")
            if versions.is_name(name) and versions.is_version(version):
                found.setdefault(name, Installed(name, version, versions.strong_needs(record)))
    return found


def _read(os_release: str) -> str:
    pairs = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line)
    return "-".join(pairs.get(name, "unknown").strip('"').replace("/", "_") for name in ("ID", "VERSION_ID"))
