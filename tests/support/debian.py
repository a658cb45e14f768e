"""Debian's packages without installing them: fetched by ``apt-get download`` and unpacked into a
folder, which needs no root.

What comes this way is used as a black box: its licence is not ours (FACTS S11).
"""

import re
import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path

from tests.support.stack import TREE

CACHE = TREE / ".build" / "debian"

_SOURCES = (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list"))


class Unavailable(Exception):
    """A package cannot be had here; the message says why and what would help."""


def unpack(
    name: str, packages: Collection[str], depends: bool = False, without: Collection[str] = ()
) -> Path:
    """Return the folder ``.build/debian/<name>`` with ``packages`` unpacked in it, made at the
    first call.

    ``depends``: also what they need, as far as this machine has it not installed, except
    ``without`` and what only those need. Raises :class:`Unavailable`.
    """
    done = CACHE / name
    if done.exists():
        return done
    for tool in ("apt-get", "apt-cache", "dpkg"):
        if not shutil.which(tool):
            raise Unavailable(f"{name}: no {tool} here, and it comes as Debian packages")
    wanted = set(packages) | (_missing(packages, without) if depends else set())
    CACHE.mkdir(parents=True, exist_ok=True)
    scratch, debs = CACHE / f"{name}.new", CACHE / f"{name}.debs"
    for folder in (scratch, debs):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    try:
        _run("apt-get", *_options(), "-q", "download", *sorted(wanted), cwd=debs)
        for deb in sorted(debs.glob("*.deb")):
            _run("dpkg", "-x", str(deb), str(scratch))
        _make_links_relative(scratch)
        scratch.rename(done)
    finally:
        shutil.rmtree(debs, ignore_errors=True)
        shutil.rmtree(scratch, ignore_errors=True)
    return done


def _missing(packages: Collection[str], without: Collection[str]) -> set[str]:
    """Everything that ``packages`` need and this machine has not installed."""
    direct = {name for package in packages for name in _direct(package)} - set(without)
    # Asked as if nothing were installed, so that what is installed from elsewhere (another Node) is
    # not in the way.
    plan = _run(
        "apt-get", *_options(), "install", "--no-install-recommends", "--simulate", *sorted(direct)
    )
    needed = dict(re.findall(r"^Inst (\S+) \((\S+)", plan, re.MULTILINE))
    states = _run(
        "dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package} ${Version}\n"
    )
    here = dict(re.findall(r"^installed (\S+) (\S+)$", states, re.MULTILINE))
    # What is installed counts when it is of the same major version: not so a newer Node from
    # elsewhere.
    return {name for name, version in needed.items() if _major(here.get(name)) != _major(version)}


def _major(version: str | None) -> str | None:
    return version and re.split(r"[.-]", version)[0]


def _direct(package: str) -> list[str]:
    shown = _run("apt-cache", *_options(), "show", "--no-all-versions", package)
    depends = re.search(r"^Depends: (.*)$", shown, re.MULTILINE)
    return (
        [re.split(r"[ (|:]", part.strip())[0] for part in depends[1].split(",")] if depends else []
    )


def _options() -> list[str]:
    """Only Debian's own sources, and as if nothing were installed."""
    sources = next((path for path in _SOURCES if path.exists()), None)
    if sources is None:
        raise Unavailable("this machine has no Debian sources (/etc/apt/sources.list)")
    return [
        "-oDir::Etc::SourceParts=/dev/null",
        f"-oDir::Etc::SourceList={sources}",
        "-oDir::State::status=/dev/null",
        "-oAPT::Sandbox::User=root",
    ]


def _make_links_relative(root: Path) -> None:
    """Let absolute links stay inside of ``root``."""
    for path in root.rglob("*"):
        if path.is_symlink() and (target := path.readlink()).is_absolute():
            inside = root / target.relative_to("/")
            if inside.exists():
                path.unlink()
                path.symlink_to(
                    Path(*[".."] * (len(path.relative_to(root).parts) - 1))
                    / target.relative_to("/")
                )


def _run(*command: str, cwd: Path | None = None) -> str:
    result = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False
    )
    if result.returncode:
        said = (result.stderr or result.stdout).strip()[-300:]
        raise Unavailable(
            f"{command[0]} … {command[-1]} failed: {said} (does `apt-get update` help?)"
        )
    return result.stdout
