"""Check an app before it is published.

Its files are parsed, the packages that they name are located and loaded, and its app object is
looked for.

Nothing of the app is run, because it may need data, secrets and settings that a build does not
have. Only certain failures refuse a bundle, such as a file that R cannot parse, or a missing
package that is always loaded. Doubts become notes for the author. R and Python check the files in a
sandbox (:mod:`tasks.sandbox`).
"""

import contextlib
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from chalicelib.configuration.app_settings import AppSettings
from chalicelib.publishing.errors import BadBundle
from machine.untrusted import Folder
from tasks.build_log import BuildLog
from tasks.kinds.build import Build, Check, Files
from tasks.sandbox import Sandbox, sandbox

PATIENCE = 60.0
"""Time limit of the check in seconds; after that, the app is published as it is."""
MEMORY = 16 * 1024**3
"""Bytes of address space that the check may use."""
LARGEST = 2 * 1024**2
"""Largest size in bytes of a file that is checked."""
MOST_FILES = 1000
NOTES = 10
"""Most doubts that the author is told."""
_LONGEST = 1500
"""Most characters of R's message that are shown."""
_WAY_OUT = "with check = false in its sheen.toml it is published as it is"


class CheckFinding(NamedTuple):
    """Something that does not work, or may not."""

    certain: bool
    file: str
    line: int
    text: str


def check(
    app: Path,
    build: Build,
    entrypoint: str,
    library: Path | None,
    final: Path,
    settings: AppSettings,
    log: BuildLog,
) -> None:
    """Check an unpacked app; add doubts to ``log``, and raise :class:`BadBundle` for failures.

    ``library`` holds its own packages while they are made. ``final`` is where that library will be,
    and where its links are valid.
    """
    kind = build.check
    if kind is None or not settings.check or kind.own_program(settings):
        return
    with Folder.at(app) as folder:
        sources = dict(_sources(folder, kind.endings))
        beside = [name for name in folder.names() if name.isprintable()]
        elsewhere = _looks_elsewhere(folder, beside, settings)
    files = kind.files(sources.keys(), beside, entrypoint)
    if not files.run or not set(files.run) <= sources.keys():
        return
    with sandbox() as box:
        _put(box, sources, files, kind.scripts)
        said = _look(box, kind, files, _libraries(library, final), elsewhere, settings)
    if said is None:
        log.note("the app could not be looked through, and is published as it is")
        return
    refused = next((finding for finding in said if finding.certain), None)
    if refused is not None:
        raise BadBundle(f"{told(refused)}\n  {_WAY_OUT}")
    for finding in said[:NOTES]:
        log.note(told(finding))
    if len(said) > NOTES:
        log.note(f"and {len(said) - NOTES:,} more like these")


def _looks_elsewhere(folder: Folder, beside: list[str], settings: AppSettings) -> bool:
    """Return whether the app may find R packages in places that this check does not search."""
    if settings.exec_supervisor or any(name.startswith("R_LIBS") for name in settings.environment):
        return True
    for name, word in ((".Rprofile", b".libPaths"), (".Renviron", b"R_LIBS")):
        with contextlib.suppress(OSError):  # it does not exist, or is a link
            if name in beside and word in folder.read(name, LARGEST):
                return True
    return False


def told(finding: CheckFinding) -> str:
    """Return a finding as the author reads it.

    This function is pure.
    """
    at = f"{finding.file}:{finding.line}" if finding.line else finding.file
    match finding.text:
        case "run_app":
            return (
                f"{at}: it calls runApp(), which a hosted app must not; let app.R end with "
                "shinyApp(ui, server)"
            )
        case "appobj" if finding.certain:
            return (
                f"{at}: it does not come to an app: its last expression must be shinyApp(ui, "
                "server), or come to the same"
            )
        case "appobj":
            return f"{at}: no shinyApp() was found; its last expression must come to an app"
        case "server":
            return (
                f"{at}: it does not come to a server: its last expression must be a function, "
                "or shinyServer()"
            )
    text = finding.text[:_LONGEST]
    if "there is no package called" in text:
        text += (
            "; a lock file beside the app says what to install: renv::snapshot() or "
            "rsconnect::writeManifest() writes one"
        )
    return text if text.startswith(f"{finding.file}:") else f"{at}: {text}"


def _sources(folder: Folder, endings: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """Yield the source files of an app, except those of packages that it brings."""
    count = 0
    for found in folder.walk():
        parts = PurePosixPath(found.path).parts
        if (
            not found.entry.is_file
            or not found.path.lower().endswith(endings)
            or {"renv", "packrat", "node_modules"} & set(parts[:-1])
        ):
            continue
        count += 1
        if (
            count > MOST_FILES
            or found.entry.status.st_size > LARGEST
            or not found.path.isprintable()
        ):
            continue
        yield found.path, found.folder.read(found.entry.name, LARGEST)


def _put(box: Sandbox, sources: dict[str, bytes], files: Files, scripts: Iterable[Path]) -> None:
    """Put the files where the sandbox's user can read them; nothing of the user runs yet."""
    with box.open() as top:
        for path, content in sources.items():
            _write(top, f"app/{path}", content)
        for script in scripts:
            _write(top, script.name, script.read_bytes())
        for name, paths in files._asdict().items():
            _write(top, name, "".join(f"{path}\n" for path in paths).encode())


def _write(folder: Folder, path: str, content: bytes) -> None:
    first, slash, rest = path.partition("/")
    if not slash:
        folder.write(path, content, 0o644)
        return
    with folder.make(first, 0o755, exist_ok=True) as below:
        _write(below, rest, content)


def _libraries(library: Path | None, final: Path) -> list[Path]:
    """Return the present folders of the packages of a library that is being made.

    Its links are valid only in its final place.
    """
    if library is None or not library.is_dir():
        return []
    found = [library]
    for package in library.iterdir():
        if package.is_symlink():
            found.append(Path(os.path.normpath(final / package.readlink())).parent)
    return list(dict.fromkeys(found))


def _look(
    box: Sandbox,
    kind: Check,
    files: Files,
    libraries: list[Path],
    elsewhere: bool,
    settings: AppSettings,
) -> list[CheckFinding] | None:
    """Return the findings, or None if the check did not finish."""
    mark = secrets.token_hex(16)
    variables = {
        **settings.environment,
        **box.variables(),
        **kind.variables(":".join(map(str, libraries))),
    }
    command = kind.command(mark, files, elsewhere)
    found: list[CheckFinding] = []
    done = False

    def heard(line: str) -> None:
        nonlocal done
        words = line.split("\t")
        if words[0] != mark or len(words) != 5:
            return
        done = done or words[1] == "done"
        if words[1] in ("refuse", "doubt") and words[3].isdecimal():
            found.append(
                CheckFinding(
                    words[1] == "refuse", words[2], int(words[3]), words[4].replace("\\n", "\n")
                )
            )

    try:
        box.run(command, variables, heard, PATIENCE, MEMORY)
    except TimeoutError:
        return None
    return found if done else None
