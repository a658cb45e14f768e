"""Sites, locations and targets: which target answers a URL. Pure.

A site is the tree of locations of one host. A location leads to a target. The nearest location at
or above a path wins. The default site answers for each host that has no site of its own.
"""

import re
from collections.abc import Callable, Container, Iterable, Mapping
from http import HTTPStatus
from typing import NamedTuple, Self

from chalicelib.apps import locations
from chalicelib.apps.errors import BadHost, BadRedirect, LastLocation, TooManyLocations

EVERY_HOST = "*"
"""The name of the default site."""
MOST_LOCATIONS = 20
"""Locations that lead to one app, with those it has moved away from."""
STATUSES = (301, 302, 303, 307, 308)
"""The statuses that a redirect may have."""
LONGEST_URL = 2000
_HOST = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\Z")
_LONGEST_HOST = 253
_URL = re.compile(r"(https?://[A-Za-z0-9\[]|/(?!/))[\x21-\x5b\x5d-\x7e]*\Z")


class Location(NamedTuple):
    """A URL path in a site."""

    site: str
    """A host in lower case, without a port; or :data:`EVERY_HOST`."""
    path: str
    """As :func:`chalicelib.apps.locations.check` returns it."""

    def __str__(self) -> str:
        return self.path if self.site == EVERY_HOST else f"{self.site}{self.path}"

    @classmethod
    def of(cls, path: str, host: str = "") -> Self:
        """Check a path and a host as people write them; no host stands for the default site.

        Raise :class:`BadLocation` or :class:`BadHost`.
        """
        site = host.lower().removesuffix(".") or EVERY_HOST
        if site != EVERY_HOST and (len(site) > _LONGEST_HOST or not _HOST.match(site)):
            raise BadHost(
                f'host "{host[:80]}" is not allowed; write its name alone, without scheme or port, '
                "as in apps.example.org"
            )
        return cls(site, locations.check(path))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``str()`` wrote: ``/path`` or ``host/path``."""
        host, slash, path = text.partition("/")
        return cls(host or EVERY_HOST, slash + path)


class AppTarget(NamedTuple):
    """An app."""

    name: str
    moved: bool = False
    """Whether the app has moved away from here.

    Its pages are then redirected. Requests of open sessions are still answered.
    """


class RedirectTarget(NamedTuple):
    """Another URL."""

    url: str
    """An absolute URL, or a path on the same host."""
    status: int = 302
    exact: bool = True
    """Whether only the location itself is redirected, not what is below it."""


Target = AppTarget | RedirectTarget


class TargetMatch(NamedTuple):
    """The target of a path, and the rest of the path after the location."""

    location: Location
    target: Target
    rest: str
    """It begins with ``/``, or is empty for the location itself without a slash at its end."""


def redirect(url: str, status: int = 302, *, exact: bool = True) -> RedirectTarget:
    """Check a redirect; raise :class:`BadRedirect` that names the broken rule."""
    if len(url) > LONGEST_URL or not _URL.match(url):
        raise BadRedirect(
            f'"{url[:80]}" is not where a redirect may lead; write a URL, as in '
            "https://example.org/new, or a path of this site, as in /new"
        )
    if status not in STATUSES:
        known = ", ".join(f"{each} ({HTTPStatus(each).phrase})" for each in STATUSES)
        raise BadRedirect(f"a redirect cannot have the status {status}; choose one of {known}")
    return RedirectTarget(url, status, exact)


def host_of(text: str) -> str:
    """Return the host in the form of a site's name; empty if no site can have this name.

    >>> host_of("Apps.Example.org.:8443")
    'apps.example.org'
    """
    host = text[: _LONGEST_HOST + 10].lower().partition(":")[0].removesuffix(".")
    return host if len(host) <= _LONGEST_HOST and _HOST.match(host) else ""


def candidates(site: str, paths: Iterable[str]) -> list[Location]:
    """Return the locations of a site at these paths, in their order."""
    return [Location(site, path) for path in paths]


def match(
    site: str,
    path: str,
    targets: Mapping[Location, Target],
    shown: Callable[[AppTarget], bool] = lambda target: True,
) -> TargetMatch | None:
    """Return the target of a path in a site, or None.

    The nearest location wins. One whose app is not ``shown`` counts as if it did not exist, and so
    does an exact redirect for paths below it.
    """
    for prefix in locations.prefixes(path):
        location = Location(site, prefix)
        target = targets.get(location)
        rest = locations.rest_of(path, prefix)
        match target:
            case None:
                continue
            case AppTarget() if not shown(target):
                continue
            case RedirectTarget(exact=True) if rest not in ("", "/"):
                continue
            case _:
                return TargetMatch(location, target, rest)
    return None


class Places(NamedTuple):
    """The locations that lead to one app; the first is its main one, on the default site."""

    here: tuple[Location, ...]
    left: tuple[Location, ...] = ()
    """Locations that the app has moved away from."""

    @property
    def main(self) -> Location:
        """The location that lists and messages show."""
        return self.here[0]

    def on(self, site: str) -> Location:
        """Return the app's location on a site; the main one if it has none there."""
        return next((each for each in self.here if each.site == site), self.main)

    def one_per_site(self) -> list[Location]:
        """Return the app's first location on each of its sites."""
        return [self.on(site) for site in dict.fromkeys(each.site for each in self.here)]

    def added(self, location: Location) -> Self:
        """Return the places with one more; raise :class:`TooManyLocations`."""
        left = _without(self.left, location)
        if location in self.here:
            return self._replace(left=left)
        return self._replace(here=(*self.here, location), left=left)._bounded()

    def moved(self, old: Location, new: Location) -> Self:
        """Return the places with ``new`` instead of ``old``; raise :class:`TooManyLocations`."""
        here = tuple(new if each == old else each for each in _without(self.here, new))
        return self._replace(here=here, left=(*_without(self.left, new), old))._bounded()

    def removed(self, location: Location) -> Self:
        """Return the places without one.

        Raise :class:`LastLocation` if the app would have no location on the default site.
        """
        here = _without(self.here, location)
        main = next((each for each in here if each.site == EVERY_HOST), None)
        if main is None:
            raise LastLocation(
                f"{location} is the last location of its app on the default site, by which it is "
                f"published and configured; `sheen move {location} /NEW` moves the app, and "
                f"`sheen archive {location}` puts it away"
            )
        return self._replace(here=(main, *_without(here, main)), left=_without(self.left, location))

    def _bounded(self) -> Self:
        if len(self.here) + len(self.left) > MOST_LOCATIONS:
            raise TooManyLocations(
                f"{MOST_LOCATIONS} locations lead to the app at {self.main}, counting those it has "
                "moved away from; no more are allowed: `sheen unlink` removes one"
            )
        return self


def _without(every: tuple[Location, ...], one: Location) -> tuple[Location, ...]:
    return tuple(each for each in every if each != one)


def free_name(path: str, taken: Container[str]) -> str:
    """Return the name of an app that is first published at a path.

    It is the path, or the path with a number if an app that was published there before has it.

    >>> free_name("/hello", {"/hello"})
    '/hello~2'
    """
    name, number = path, 1
    while name in taken:
        number += 1
        name = f"{path}~{number}"
    return name
