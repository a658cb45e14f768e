"""Restore an app's R packages: from its lock file to the version's own library."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chalicelib.configuration.app_settings import AppSettings
from chalicelib.configuration.repositories import Repositories
from tasks.build_log import BuildLog
from tasks.discard import discard
from tasks.packages import image, plan
from tasks.packages.cache import Cache
from tasks.packages.freeze import sync
from tasks.packages.install import install, into, into_cache
from tasks.packages.lock import Lock
from tasks.packages.plan import Step
from tasks.packages.sources import Sources, find_all
from tasks.packages.sweep import SOURCES

_TELL_EVERY = 10

Tell = Callable[[str], None]
"""Gets sentences for the author as the build progresses."""


@dataclass(frozen=True, slots=True)
class LibraryFolders:
    """Where a library is made, and where it will be."""

    packages: Path
    """The cache that all builds share."""
    making: Path
    """Where the library is made; nothing exists there yet."""
    final: Path
    """Where a rename moves it; its links are valid from there."""


def restore(
    lock: Lock,
    place: LibraryFolders,
    repositories: Repositories,
    settings: AppSettings,
    log: BuildLog,
    tell: Tell,
) -> bool:
    """Make the library; return False if the image has every wanted package.

    Raise :class:`BadLock`, :class:`NotAvailable` or :class:`NotInstalled`, with a sentence for the
    author. Nothing is left at ``place.making`` then.
    """
    r = image.look()
    log.say(
        f"{lock.file} wants {len(lock.packages)} packages; this is R {r.r_version}, {r.platform}"
    )
    if lock.r_version and lock.r_version != r.r_version:
        log.note(f"the app was made with R {lock.r_version}; this is R {r.r_version}")
    to_find = plan.to_find(lock, r)
    looked_for = 0

    def looked(number: int) -> None:
        nonlocal looked_for
        looked_for = number
        if number % _TELL_EVERY == 0 and number < len(to_find):
            tell(f"Looking for packages: {number} of {len(to_find)}.")

    if to_find:
        tell(
            f"Looking for {len(to_find)} packages that {lock.file} wants and the image "
            "does not have."
        )
        repositories = repositories.resolved(image.mirror)
    sources, missing = find_all(Sources(place.packages / SOURCES, repositories), to_find, looked)
    what = plan.make(lock, r, sources, missing, settings.package_mismatch)
    log.say(f"from the image: {', '.join(what.from_image) or 'none'}")
    for each in what.instead:
        log.note(f"going on with the image's {each}")
    if not what.steps:
        return False
    cache = Cache(place.packages, r.platform)
    cache.prepare()
    place.making.mkdir(mode=0o755)
    try:
        _fill(what, place, cache, settings, log, tell)
        sync(place.making)
    except BaseException:
        discard(place.making)
        raise
    return True


def _fill(
    what: plan.InstallPlan,
    place: LibraryFolders,
    cache: Cache,
    settings: AppSettings,
    log: BuildLog,
    tell: Tell,
) -> None:
    def installing(there: int, step: Step, seconds: float) -> None:
        so_far = f"Installing packages: {there} of {len(what.steps)} are there"
        if seconds:
            tell(f"{so_far}; {step} has taken {seconds / 60:.0f} min.")
        else:
            log.say(f"installing from {step.source.archive.name}", str(step))
            tell(f"{so_far}; now {step}.")

    if not settings.package_cache:
        install(what, {}, into(place.making), log, installing)
        return
    ready = {step.name: cache.library(step.entry) for step in what.steps if cache.use(step.entry)}
    log.say(f"from the cache: {', '.join(ready) or 'none'}")
    libraries = install(what, ready, into_cache(cache), log, installing)
    for name, library in libraries.items():
        (place.making / name).symlink_to(os.path.relpath(library / name, place.final))
