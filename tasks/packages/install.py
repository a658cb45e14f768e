"""Install the packages of a plan, several at once where their order allows it."""

import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from machine.untrusted import Folder, Unsafe
from tasks.build_log import BuildLog
from tasks.packages.cache import Cache
from tasks.packages.errors import NotInstalled
from tasks.packages.freeze import freeze
from tasks.packages.plan import InstallPlan, Step
from tasks.sandbox import sandbox

PATIENCE = 1800.0
"""Time limit of one package in seconds."""
TELL_EVERY = 60.0
_MOST_AT_ONCE = 4

Put = Callable[[Step, Folder, int], Path]
"""Takes an installed package and its owner, and returns the library that holds it now."""


def into_cache(cache: Cache) -> Put:
    """Return a function that keeps packages in the cache."""
    return lambda step, package, owner: cache.keep(step.entry, package, owner)


def into(library: Path) -> Put:
    """Return a function that keeps packages in a library of the version's own."""

    def put(step: Step, package: Folder, owner: int) -> Path:
        hidden = f".{step.name}"  # other installations use this library meanwhile
        freeze(package, library / hidden, owner)
        with Folder.at(library) as folder:
            folder.rename(hidden, folder, step.name)
        return library

    return put


def install(
    plan: InstallPlan,
    ready: dict[str, Path],
    put: Put,
    log: BuildLog,
    tell: Callable[[int, Step, float], None],
    patience: float = PATIENCE,
    every: float = TELL_EVERY,
) -> dict[str, Path]:
    """Install what is not in ``ready``; return the library of every package.

    ``ready`` is name → library. ``tell`` gets the number of finished packages, a package that is
    being installed, and the seconds since it began. It is called when a package begins, and each
    ``every`` seconds while nothing else happens. Raise :class:`NotInstalled` for the first failure.
    Installations that are running then are awaited, so that their results are kept.
    """
    at_once = min(len(os.sched_getaffinity(0)), _MOST_AT_ONCE)
    libraries = dict(ready)
    waiting = [step for step in plan.steps if step.name not in libraries]
    running: dict[Future[Path], tuple[Step, float]] = {}
    failure: NotInstalled | None = None
    with ThreadPoolExecutor(at_once) as threads:
        while running or (waiting and failure is None):
            for step in [step for step in waiting if all(need in libraries for need in step.needs)]:
                if failure is not None or len(running) == at_once:
                    break
                waiting.remove(step)
                tell(len(libraries), step, 0.0)
                paths = [libraries[name] for name in step.closure]
                running[threads.submit(_install, step, paths, put, log, patience)] = (
                    step,
                    time.monotonic(),
                )
            done, _ = wait(running, every, return_when=FIRST_COMPLETED)
            if not done:
                step, since = min(running.values(), key=lambda each: each[1])
                tell(len(libraries), step, time.monotonic() - since)
            for future in done:
                step, _since = running.pop(future)
                try:
                    libraries[step.name] = future.result()
                except NotInstalled as error:
                    failure = failure or error
    if failure is not None:
        raise failure
    return libraries


def _install(step: Step, libraries: list[Path], put: Put, log: BuildLog, patience: float) -> Path:
    with sandbox() as box:
        library = box.make("library")
        source = box.given / step.source.archive.name
        with (
            Folder.at(box.given) as given,
            step.source.archive.open("rb") as archive,
            given.create(source.name, 0o644) as copy,
        ):
            shutil.copyfileobj(archive, copy)
        environment = {
            **box.variables(),
            "TZ": "UTC",
            "USER": "build",
            "LOGNAME": "build",
            # These are the packages' own libraries, not one of links, so that a path that is
            # compiled into a package stays valid.
            "R_LIBS": ":".join(dict.fromkeys(map(str, libraries))),
            "R_LIBS_USER": "NULL",
            "R_PROFILE_USER": "/dev/null",
            "R_ENVIRON_USER": "/dev/null",
        }
        command = [
            "R",
            "CMD",
            "INSTALL",
            "--no-html",
            "--no-multiarch",
            "-l",
            str(library),
            str(source),
        ]
        try:
            code = box.run(command, environment, lambda line: log.say(line, str(step)), patience)
        except TimeoutError:
            raise _failed(step, f"it took more than {patience / 60:g} minutes", log) from None
        try:
            if code:
                raise NotInstalled(f"R CMD INSTALL ended with {code}")
            with box.open(f"{library.name}/{step.name}") as made:
                made.open("DESCRIPTION").close()
                return put(step, made, box.owner)
        except NotInstalled as error:
            raise _failed(step, str(error), log) from None
        except (FileNotFoundError, Unsafe):
            raise _failed(
                step, f"R CMD INSTALL ended with {code} and made no package", log
            ) from None


def _failed(step: Step, why: str, log: BuildLog) -> NotInstalled:
    lines = log.tail(str(step))
    log.say(f"not installed: {why}", str(step))
    said = "".join(f"\n  {line[:300]}" for line in lines)
    return NotInstalled(
        f'package "{step.name}" {step.source.version} was not installed: '
        f"{why}.{' The last that it said:' if said else ''}{said}"
    )
