"""Decide which packages to install, in which order, and whether they can work together.

This module is pure.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tasks.packages.errors import BadLock, NotAvailable
from tasks.packages.image import RInstallation
from tasks.packages.lock import BASE_PACKAGES, Lock, LockedPackage
from tasks.packages.sources import PackageSource
from tasks.packages.versions import Dependency, same

WITH_INSTALLED = "with-installed"
"""The value of ``package_mismatch`` that accepts the image's versions."""
_MOST_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Step:
    """One package to install."""

    source: PackageSource
    needs: tuple[str, ...]
    """Packages of this plan that must be installed before."""
    closure: tuple[str, ...]
    """Packages of this plan that it needs, directly or indirectly."""
    entry: str
    """Its entry in the cache.

    Equal sources installed with equal packages have equal entries. Everything that a package needs
    counts, not only packages whose headers it is compiled with. Their code runs during its
    installation and shapes the result. It may do so by design (functions that are generated then).
    It may also do so by malice, from a repository that not everybody trusts. That must not reach
    another app that has the same package, but other packages beside it.
    """

    @property
    def name(self) -> str:
        return self.source.name

    def __str__(self) -> str:
        return f"{self.source.name} {self.source.version}"


class InstallPlan(NamedTuple):
    """The whole plan."""

    steps: tuple[Step, ...]
    """Packages to install, each after those that it needs."""
    from_image: tuple[str, ...]
    """Packages that the image has at the exact version."""
    instead: tuple[str, ...]
    """Packages that the image's version replaces, in words."""


def to_find(lock: Lock, image: RInstallation) -> list[LockedPackage]:
    """Return the packages that the image does not have at the exact version."""
    return [wanted for wanted in lock.packages if not _is_there(wanted, image)]


def make(
    lock: Lock,
    image: RInstallation,
    sources: Mapping[str, PackageSource],
    missing: Mapping[str, str],
    mismatch: str,
) -> InstallPlan:
    """Return the plan.

    ``missing`` says why a package has no source. ``mismatch`` is the app's ``package_mismatch``.
    Raise :class:`NotAvailable` that names every package that cannot be found. Raise
    :class:`BadLock` if the packages of the lock file cannot work together.
    """
    instead = _stand_ins(lock, image, missing, mismatch)
    given = {name: package.version for name, package in image.packages.items()} | {
        name: each.version for name, each in sources.items()
    }
    _check(lock, image, sources, given)
    steps: list[Step] = []
    for name in _order(lock, sources):
        source, done = sources[name], {step.name: step for step in steps}
        needs = tuple(dict.fromkeys(need.name for need in source.needs if need.name in sources))
        closure = tuple(
            dict.fromkeys([*needs, *(each for need in needs for each in done[need].closure)])
        )
        with_image = sorted(
            {need.name for need in source.needs if need.name in given and need.name not in sources}
            - BASE_PACKAGES
        )
        beside = [
            *sorted(done[each].entry for each in needs),
            *(f"image {each} {given[each]}" for each in with_image),
        ]
        steps.append(Step(source, needs, closure, _entry(source, beside)))
    from_image = tuple(wanted.name for wanted in lock.packages if _is_there(wanted, image))
    return InstallPlan(tuple(steps), from_image, tuple(instead))


def _is_there(wanted: LockedPackage, image: RInstallation) -> bool:
    installed = image.packages.get(wanted.name)
    return installed is not None and not wanted.remote and same(installed.version, wanted.version)


def _stand_ins(
    lock: Lock, image: RInstallation, missing: Mapping[str, str], mismatch: str
) -> list[str]:
    instead: list[str] = []
    trouble: list[str] = []
    could_go_on = True
    for wanted in lock.packages:
        if wanted.name not in missing:
            continue
        installed = image.packages.get(wanted.name)
        if installed is None:
            could_go_on = False
            trouble.append(
                f'package "{wanted.name}" {wanted.version} cannot be had: {missing[wanted.name]}'
            )
        elif mismatch == WITH_INSTALLED:
            instead.append(
                f"{wanted.name} {installed.version} instead of {wanted.version}: "
                f"{missing[wanted.name]}"
            )
        else:
            trouble.append(
                f'package "{wanted.name}" {wanted.version} cannot be had, the image has '
                f"{installed.version}: {missing[wanted.name]}"
            )
    if trouble:
        shown = trouble[:_MOST_SHOWN] + (
            [f"and {len(trouble) - _MOST_SHOWN} more"] if len(trouble) > _MOST_SHOWN else []
        )
        way_out = (
            "make the app with versions that the deployment's repositories have, or have its "
            "operator add one (SHEEN_REPOSITORIES)"
        )
        if could_go_on:
            way_out += f", or set package_mismatch={WITH_INSTALLED} to go on with the image's"
        raise NotAvailable(f"{lock.file}: " + ".\n  ".join(shown) + f".\n  The way out: {way_out}")
    return instead


def _check(
    lock: Lock, image: RInstallation, sources: Mapping[str, PackageSource], given: Mapping[str, str]
) -> None:
    """Check that the packages satisfy each other's needs, as R does when it loads them."""
    trouble: list[str] = []
    seen: set[str] = set()
    # Shiny itself is always loaded, whatever the lock file says.
    front = [*(wanted.name for wanted in lock.packages), *(["shiny"] if "shiny" in given else [])]
    while front:
        name = front.pop(0)
        if name in seen or name not in given:
            continue
        seen.add(name)
        needs = sources[name].needs if name in sources else image.packages[name].needs
        for need in needs:
            problem = _problem(lock, image, need, given)
            if problem:
                trouble.append(f'package "{name}" {given[name]} needs {need}, {problem}')
            front.append(need.name)
    if trouble:
        shown = trouble[:_MOST_SHOWN] + (
            [f"and {len(trouble) - _MOST_SHOWN} more"] if len(trouble) > _MOST_SHOWN else []
        )
        raise BadLock(
            f"{lock.file}: "
            + ".\n  ".join(shown)
            + ".\n  The way out: bring the author's library in order and write the lock file again"
        )


def _problem(lock: Lock, image: RInstallation, need: Dependency, given: Mapping[str, str]) -> str:
    if need.name == "R":
        return (
            "" if need.allows(image.r_version) else f"and this deployment has R {image.r_version}"
        )
    if need.name in BASE_PACKAGES:
        return ""
    if need.name not in given:
        return f"which is neither in {lock.file} nor in the image"
    return "" if need.allows(given[need.name]) else f"and {need.name} is {given[need.name]}"


def _order(lock: Lock, sources: Mapping[str, PackageSource]) -> list[str]:
    order: dict[str, None] = {}
    left = sorted(sources)
    while left:
        ready = [
            name
            for name in left
            if all(need.name in order or need.name not in sources for need in sources[name].needs)
        ]
        if not ready:
            raise BadLock(
                f"{lock.file}: packages need each other in a circle: "
                f"{', '.join(left[:20])}; R cannot install these"
            )
        order |= dict.fromkeys(ready)
        left = [name for name in left if name not in order]
    return list(order)


def _entry(source: PackageSource, beside: list[str]) -> str:
    digest = hashlib.sha256("\n".join([source.sha256, *beside]).encode()).hexdigest()
    return f"{source.name}/{source.version}-{digest[:20]}"
