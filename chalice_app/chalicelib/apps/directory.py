"""Finding the target of a URL, with a short memory."""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple, Protocol

from chalicelib.apps import locations, sites
from chalicelib.apps.model import SITE, App, LocationRow
from chalicelib.apps.sites import EVERY_HOST, AppTarget, Location, RedirectTarget, Target
from chalicelib.aws.tables import Table, read_together
from chalicelib.configuration.above import NOTHING, Above
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.configuration.layers import Resolved, resolve

REMEMBERED = 2.0
"""Seconds for which rows are used without being read again.

For so long, a new version, setting or location may go unnoticed.
"""
_MOST = 5000


class Beside(Protocol):
    """What else is read in the call that reads the rows of a path."""

    def wanted(self, now: float) -> Mapping[type[Table], Collection[tuple[str, ...]]]:
        """Return the keys of what to read; empty: nothing."""

    def take(self, rows: Iterable[Table], now: float) -> None:
        """Take all rows of a call that read what was wanted."""


class Asker(Beside, Protocol):
    """Who asks for a path: what must be read to know it, and which apps they may know of."""

    def may_know(self, app: App, settings: AppSettings | None) -> bool:
        """Return whether the asker may know of an app; settings are None if unreadable."""


class Anybody:
    """An asker who may know of every app."""

    def wanted(self, now: float) -> Mapping[type[Table], Collection[tuple[str, ...]]]:
        """Return nothing."""
        return {}

    def take(self, rows: Iterable[Table], now: float) -> None:
        """Take nothing."""

    def may_know(self, app: App, settings: AppSettings | None) -> bool:
        """Return True."""
        return True


_ANYBODY = Anybody()


class AppAtPath(NamedTuple):
    """The app that a path belongs to, and the rest of the path as the app sees it.

    Its settings are resolved once, for all requests that use the app's row.
    """

    app: App
    rest: str
    resolution: Resolved | BadAppSetting
    """The app's settings, or why they cannot be read."""
    location: Location
    """Where the visitor came in."""
    moved: bool = False
    """Whether the app has moved away from this location."""
    above: Above = NOTHING
    """What a configuration says above the app; the settings are resolved with it."""

    @classmethod
    def of(cls, app: App, rest: str = "/", above: Above = NOTHING) -> "AppAtPath":
        """Return an app at its main location, with its settings resolved."""
        return cls(app, rest, _resolution(app, above), app.places.main, above=above)

    def under(self, above: Above) -> "AppAtPath":
        """Return the same below these layers of a configuration."""
        if above == self.above:
            return self
        return self._replace(above=above, resolution=_resolution(self.app, above))

    def with_app_file(self, text: str) -> "AppAtPath":
        """Return the same with the ``.shiny_app.conf`` by which an instance serves the app."""
        if not text:
            return self
        return self._replace(resolution=_resolution(self.app, self.above, text))

    @property
    def settings(self) -> AppSettings:
        """The settings that hold for the app; raise :class:`BadAppSetting`."""
        if isinstance(self.resolution, BadAppSetting):
            raise self.resolution
        return self.resolution.settings

    @property
    def readable_settings(self) -> AppSettings | None:
        """The settings that hold for the app; None if they cannot be read."""
        return self.resolution.settings if isinstance(self.resolution, Resolved) else None


def _resolution(app: App, above: Above, app_file: str = "") -> Resolved | BadAppSetting:
    try:
        above.text  # noqa: B018  (raises if there is too much for an instance's row)
        return app.resolved(above.layers, app_file)
    except BadAppSetting as error:
        return error


class RedirectAtPath(NamedTuple):
    """The redirect that a path belongs to."""

    target: RedirectTarget
    location: Location


class NothingAtPath(NamedTuple):
    """No target: the site that has none for the path."""

    site: str


class _Rows(NamedTuple):
    """What was read for a path."""

    locations: Mapping[Location, LocationRow | None]
    apps: Mapping[str, AppAtPath | None]


class Directory:
    """The targets by location, as one Lambda environment remembers them.

    An app owns its path from its first version on. Until then, the target above it owns the path.
    Rows are remembered only if a target was found, so a newly published app is found at once.

    Apps that the asker may not know of are treated as if they did not exist.

    One call reads the rows of all locations at and above a path, and the apps whose names are these
    paths. Most apps are where they were first published, so their rows are among these. A location
    that leads to another app costs a second call once: from then on its app is asked for in the
    first one.
    """

    def __init__(self, beside: Beside | None = None) -> None:
        self._beside = beside
        self._locations: dict[Location, tuple[float, LocationRow | None]] = {}
        self._apps: dict[str, tuple[float, AppAtPath | None]] = {}
        self._names: dict[Location, str] = {}
        """The names of apps that are not where they were first published.

        They only say what to ask for; where an app is, its location's row says.
        """

    @property
    def elsewhere(self) -> AppSettings:
        """The settings that hold where no app is; raise :class:`BadAppSetting`."""
        return resolve([App.defaults]).settings

    def find(
        self, path: str, now: float, *, host: str = "", page: bool = True, asker: Asker = _ANYBODY
    ) -> AppAtPath | RedirectAtPath | NothingAtPath:
        """Return the target of a path on a host; read all that it needs in at most one call.

        ``host`` is empty if it can have no site. If the request is not for a ``page`` and the path
        ends with a name that has a dot, the name is taken for a file below a remembered target, not
        for a location. Otherwise each of a page's files would need a read.
        """
        paths = locations.prefixes(path)
        needed = paths[1:] if not page and "." in paths[0].rpartition("/")[2] else paths
        rows = self._remembered(host, needed, now)
        if rows is not None and (wanted := asker.wanted(now)):
            asker.take(read_together(wanted), now)
        found = self._resolve(host, path, rows, asker) if rows is not None else NothingAtPath("")
        if isinstance(found, NothingAtPath):
            rows = self._read(host, paths, now, asker)
            found = self._resolve(host, path, rows, asker)
            if not isinstance(found, NothingAtPath):
                self._remember(rows, now)
        return found

    def forget(self) -> None:
        """Forget everything, so that the next look is fresh."""
        self._locations.clear()
        self._apps.clear()

    def _remembered(self, host: str, paths: list[str], now: float) -> _Rows | None:
        """Return what is remembered of these paths, or None if something is missing."""
        of_locations = {each: self._locations.get(each) for each in _asked(host, paths)}
        known = {key: row[1] for key, row in of_locations.items() if row and _is_fresh(row[0], now)}
        if len(known) < len(of_locations):
            return None
        of_apps = {name: self._apps.get(name) for name in {*paths, *_named(known.values())}}
        apps = {key: row[1] for key, row in of_apps.items() if row and _is_fresh(row[0], now)}
        return _Rows(known, apps) if len(apps) == len(of_apps) else None

    def _read(self, host: str, paths: list[str], now: float, asker: Asker) -> _Rows:
        asked = _asked(host, paths)
        names = {*paths, *(self._names[each] for each in asked if each in self._names)}
        also = self._beside.wanted(now) if self._beside is not None else {}
        rows = read_together(
            {
                LocationRow: asked,
                App: [(name,) for name in names],
                **also,
                **asker.wanted(now),
            }
        )
        if self._beside is not None and also:
            self._beside.take(rows, now)
        asker.take(rows, now)
        there = {row.location: row for row in rows if isinstance(row, LocationRow)}
        apps: dict[str, AppAtPath | None] = dict.fromkeys(names)
        apps |= {app.name: AppAtPath.of(app) for app in rows if isinstance(app, App)}
        missing = _named(there.values()) - apps.keys()
        if missing:
            if len(self._names) > _MOST:
                self._names.clear()
            self._names |= {row.location: row.app for row in there.values() if row.app in missing}
            apps |= dict.fromkeys(missing)
            more = read_together({App: [(name,) for name in missing]})
            apps |= {app.name: AppAtPath.of(app) for app in more if isinstance(app, App)}
        return _Rows({each: there.get(each) for each in asked}, apps)

    def _remember(self, rows: _Rows, now: float) -> None:
        if max(len(self._locations), len(self._apps)) > _MOST:
            self.forget()
        self._locations |= {each: (now, row) for each, row in rows.locations.items()}
        self._apps |= {name: (now, app) for name, app in rows.apps.items()}

    def _resolve(
        self, host: str, path: str, rows: _Rows, asker: Asker
    ) -> AppAtPath | RedirectAtPath | NothingAtPath:
        site = host if rows.locations.get(Location(host, SITE)) is not None else EVERY_HOST
        targets: dict[Location, Target] = {}
        for found in rows.apps.values():
            if found is not None and found.app.locations is None:  # not carried over yet
                targets[found.location] = AppTarget(found.app.name)
        targets |= {
            location: row.target
            for location, row in rows.locations.items()
            if row is not None and row.target is not None
        }

        def shown(target: AppTarget) -> bool:
            found = rows.apps.get(target.name)
            return (
                found is not None
                and found.app.active_version is not None
                and asker.may_know(found.app, found.readable_settings)
            )

        match sites.match(site, path, targets, shown):
            case sites.TargetMatch(location, AppTarget(name, moved), rest):
                owner = rows.apps[name]
                assert owner is not None
                return owner._replace(rest=rest, location=location, moved=moved)
            case sites.TargetMatch(location, RedirectTarget() as target, _):
                return RedirectAtPath(target, location)
            case _:
                return NothingAtPath(site)


def _asked(host: str, paths: list[str]) -> list[Location]:
    own = [Location(host, SITE), *sites.candidates(host, paths)] if host else []
    return own + sites.candidates(EVERY_HOST, paths)


def _named(rows: Iterable[LocationRow | None]) -> set[str]:
    return {row.app for row in rows if row is not None and row.app is not None}


def _is_fresh(read_at: float, now: float) -> bool:
    return now - read_at < REMEMBERED
