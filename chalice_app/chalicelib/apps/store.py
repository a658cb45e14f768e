"""The rows of apps, by name and by location."""

import secrets
import time
from collections.abc import Callable
from typing import TypeVar

from chalicelib.apps.errors import LocationTaken, NoSuchApp, TooBusy
from chalicelib.apps.location_writes import LocationWrite, row_at
from chalicelib.apps.model import App, LocationRow
from chalicelib.apps.sites import EVERY_HOST, AppTarget, Location, RedirectTarget, free_name
from chalicelib.unix_ids import store as unix_ids

_ATTEMPTS = 12
_PAUSE = 0.02
"""Seconds before another attempt, times the number of the attempt."""

T = TypeVar("T")


def everywhere() -> list[App]:
    """Read all apps, sorted by their main location."""
    return sorted(App.scan(), key=lambda app: app.location)


def get(name: str) -> App:
    """Read the app with a name, consistently; raise :class:`NoSuchApp` if there is none."""
    try:
        return App.get(name, consistent_read=True)
    except App.DoesNotExist:
        raise _none(name) from None


def look(location: Location) -> tuple[LocationRow | None, App | None]:
    """Read the row of a location and the app that it leads to, consistently.

    The app may have moved away from there.
    """
    row = row_at(location)
    target = row.target if row is not None else None
    try:
        if isinstance(target, AppTarget):
            return row, App.get(target.name, consistent_read=True)
        if target is None and location.site == EVERY_HOST:
            app = App.get(location.path, consistent_read=True)
            return row, app if app.locations is None else None
    except App.DoesNotExist:
        pass
    return row, None


def at(path: str) -> App:
    """Read the app at a path of the default site; raise :class:`NoSuchApp` if there is none."""
    for _ in range(2):  # the app may be carried over between the two reads
        _, app = look(Location(EVERY_HOST, path))
        if app is not None:
            return app
    raise _none(path)


def ensure(path: str, now: float) -> App:
    """Return the app at a path of the default site; if there is none, make it, without a version.

    If several callers make it at once, all get the same app. A new app takes the path from one that
    has moved away. Raise :class:`LocationTaken` if a redirect is there.
    """
    location = Location(EVERY_HOST, path)
    return persist(location, lambda: _ensure(location, now))


def _ensure(location: Location, now: float) -> App | None:
    before, app = look(location)
    if app is not None and location in app.places.here:
        return app if carry_over(app, now) else None
    target = before.target if before is not None else None
    if isinstance(target, RedirectTarget):
        raise taken_by(location, target)
    made = App(
        _free_name(location.path),
        app_id=secrets.token_hex(6),
        unix_id=unix_ids.draw(f"app {location}", now),
        locations=[str(location)],
        left=[],
        settings={},
        created_at=now,
        updated_at=now,
    )
    write = LocationWrite()
    write.make_app(made)
    write.lead(before, location, AppTarget(made.name))
    forgets(write, app, location, now)
    if write.commit():
        return made
    unix_ids.give_back(int(made.unix_id))
    return None


def _free_name(path: str) -> str:
    taken: set[str] = set()
    while True:
        name = free_name(path, taken)
        try:
            get(name)
        except NoSuchApp:
            return name
        taken.add(name)


def carry_over(app: App, now: float) -> bool:
    """Give an app its first location, if it was made before locations had rows of their own.

    Until then, lookups find it at its name. A repeated call changes nothing. Return False if the
    app has changed since it was read, or if its name leads to something else.
    """
    if app.locations is not None:
        return True
    location = Location(EVERY_HOST, app.name)
    write = LocationWrite()
    write.lead(None, location, AppTarget(app.name))
    write.place(app, app.places, now)
    if not write.commit():
        return False
    app.refresh(consistent_read=True)
    return True


def forgets(write: LocationWrite, app: App | None, location: Location, now: float) -> None:
    """Let an app that has moved away from a location forget it."""
    if app is not None:
        left = tuple(each for each in app.places.left if each != location)
        write.place(app, app.places._replace(left=left), now)


def taken_by(location: Location, target: RedirectTarget) -> LocationTaken:
    """Return the error that says that a redirect is at a location."""
    return LocationTaken(
        f"{location} redirects to {target.url}; `sheen unlink {location}` ends that"
    )


def persist(location: Location, attempt: Callable[[], T | None]) -> T:
    """Return the first outcome of an attempt that is not None; raise :class:`TooBusy`."""
    for number in range(_ATTEMPTS):
        if (done := attempt()) is not None:
            return done
        time.sleep(_PAUSE * number)
    raise TooBusy(f"others change what is at {location} all the time; try again")


def _none(path: str) -> NoSuchApp:
    return NoSuchApp(f"no app at {path}; `sheen apps` lists where there are some")
