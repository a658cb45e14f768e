"""Restore an app's Python packages from ``requirements.txt``.

Packages that the image does not have go into the version's own library.
"""

import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from chalicelib.configuration.repositories import Indexes
from machine.untrusted import Folder
from tasks.build_log import BuildLog
from tasks.discard import discard
from tasks.packages import requirements
from tasks.packages.errors import NotAvailable, NotInstalled
from tasks.packages.freeze import freeze, sync
from tasks.packages.lock_files import read_text
from tasks.packages.requirements import FILE, RequiredPackage
from tasks.packages.restore import LibraryFolders, Tell
from tasks.sandbox import Sandbox, sandbox

LARGEST = 1024**2
"""Largest size in bytes of a ``requirements.txt``."""
PATIENCE = 1800.0
"""Time limit of pip in seconds."""
_COMPILING = 600.0
_LARGEST_REPORT = 64 << 20
"""Largest size in bytes of pip's report.

The report has the whole description of each package.
"""
_NEEDED = ("shiny", "uvicorn")
"""Packages that serve the app; downloaded packages must be compatible with them."""


def restore(app: Path, place: LibraryFolders, indexes: Indexes, log: BuildLog, tell: Tell) -> bool:
    """Make the library; return False if the image has every wanted package.

    Raise :class:`BadLock`, :class:`NotAvailable` or :class:`NotInstalled`, with a sentence for the
    author. Nothing is left at ``place.making`` then. Only wheels are installed, so nothing of a
    package runs before the app does.
    """
    wanted = _wanted(app)
    installed = requirements.packages_of(importlib.metadata.distributions())
    missing = requirements.missing(wanted, installed)
    log.say(
        f"{FILE} wants {len(wanted)} packages; this is Python {sys.version.split()[0]}, "
        f"which has all but {len(missing)}"
    )
    if not missing:
        return False
    names = ", ".join(requirements.instead(each, installed) for each in missing)
    if not indexes.urls:
        raise NotAvailable(
            f"{FILE} wants what the image does not have: {names}. This deployment fetches "
            "no Python packages (SHEEN_PYTHON_REPOSITORIES); "
            "do without, or ask its operator"
        )
    tell(f"Installing {len(missing)} Python packages, and what they need.")
    log.say(f"to be fetched: {names}")
    with sandbox() as box:
        pip = _Pip(box, indexes, log)
        pins = pip.resolve(wanted)
        library = pip.install(pins)
        _compile(box, library, place.final, log)
        try:
            with box.open(library.name) as made:
                freeze(made, place.making, box.owner)
            sync(place.making)
        except BaseException:
            discard(place.making)
            raise
    return True


def _wanted(app: Path) -> list[RequiredPackage]:
    text = read_text(app, FILE, LARGEST)
    return requirements.read(text) if text is not None else []


class _Pip:
    def __init__(self, box: Sandbox, indexes: Indexes, log: BuildLog) -> None:
        self._box = box
        self._indexes = indexes
        self._log = log
        self._environment = {
            **box.variables(),
            # The machine's own configuration would name other indexes.
            "PIP_CONFIG_FILE": "/dev/null",
        }

    def resolve(self, wanted: list[RequiredPackage]) -> list[str]:
        """Return the packages to download, pinned by version and hash.

        They are compatible with the packages of the image.
        """
        asked = [str(each.requirement) for each in wanted]
        asked += [name for name in _NEEDED if name not in {each.name for each in wanted}]
        folder = self._box.make("resolved")
        report = folder / "report.json"
        self._run(["install", "--dry-run", "--report", str(report)], asked, "resolve")
        try:
            with self._box.open(folder.name) as made:
                found = json.loads(made.read(report.name, _LARGEST_REPORT))["install"]
            return [_pin(each, wanted) for each in found]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise NotInstalled(f"{FILE}: pip does not say what it found: {error}") from None

    def install(self, pins: list[str]) -> Path:
        """Download exactly these packages; return the library."""
        library = self._box.make("library")
        self._run(
            ["install", "--target", str(library), "--no-deps", "--no-compile", "--require-hashes"],
            pins,
            "install",
        )
        return library

    def _run(self, what: list[str], lines: list[str], step: str) -> None:
        listed = self._box.given / f"{step}.txt"
        with Folder.at(self._box.given) as given:
            given.write(listed.name, "".join(f"{line}\n" for line in lines).encode(), 0o644)
        general = [
            "--isolated",
            "--no-input",
            "--disable-pip-version-check",
            "--no-color",
            "--no-cache-dir",
        ]
        command = [
            sys.executable,
            "-I",
            "-m",
            "pip",
            *general,
            *what,
            "--only-binary",
            ":all:",
            "--progress-bar",
            "off",
        ]
        command += [*self._indexes.options, "--requirement", str(listed)]
        try:
            code = self._box.run(
                command, self._environment, lambda line: self._log.say(line, "pip"), PATIENCE
            )
        except TimeoutError:
            raise NotInstalled(f"{FILE}: pip took more than {PATIENCE / 60:g} minutes") from None
        if code:
            said = "".join(f"\n  {line[:300]}" for line in self._log.tail("pip"))
            raise NotInstalled(
                f"{FILE}: its packages cannot be had as wheels that go together. The last "
                f"that pip said:{said}"
            )


def _pin(found: dict[str, Any], wanted: list[RequiredPackage]) -> str:
    """Return a line of requirements for a package that pip has found.

    Raise :class:`NotInstalled` if its hash is not one that the author listed.
    """
    name, version = found["metadata"]["name"], found["metadata"]["version"]
    said = f"sha256:{found['download_info']['archive_info']['hashes']['sha256']}"
    allowed = frozenset().union(
        *(each.hashes for each in wanted if each.name == canonicalize_name(name))
    )
    if allowed and said not in allowed:
        raise NotInstalled(
            f"{FILE}: {name} {version} has the hash {said}, which is none of those in the file"
        )
    return f"{name}=={version} --hash={said}"


def _compile(box: Sandbox, library: Path, final: Path, log: BuildLog) -> None:
    """Put bytecode beside the sources, where workers cannot write.

    The bytecode does not depend on the times of the sources, which change.
    """
    command = [
        sys.executable,
        "-I",
        "-m",
        "compileall",
        "-q",
        "-j",
        "2",
        "--invalidation-mode",
        "unchecked-hash",
    ]
    command += ["-s", str(library), "-p", str(final), str(library)]
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    try:
        code = box.run(command, environment, lambda line: log.say(line, "compileall"), _COMPILING)
    except TimeoutError:
        code = 1
    if code:
        log.say("not all of it could be compiled; that starts more slowly, and is as good")
