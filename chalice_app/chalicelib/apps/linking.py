"""Changing which locations lead to what.

Each change is one transaction on rows as they were read; it is tried again if they have changed.
"""

from chalicelib.apps import store
from chalicelib.apps.errors import (
    LocationTaken,
    NoSuchLocation,
    TooManyLocations,
)
from chalicelib.apps.location_writes import LocationWrite, row_at
from chalicelib.apps.model import App, LocationRow
from chalicelib.apps.sites import AppTarget, Location, RedirectTarget

MOST_IN_ALL = 10_000
"""Locations of a deployment to which `sheen alias`, `move` and `redirect` add more.

Callers at the same time may exceed it by their number.
"""


def alias(path: str, location: Location, now: float) -> App:
    """Let one more location lead to the app at a path of the default site.

    A repeated call changes nothing. Raise :class:`NoSuchApp`, :class:`LocationTaken` or
    :class:`TooManyLocations`.
    """
    return store.persist(location, lambda: _alias(path, location, now))


def _alias(path: str, location: Location, now: float) -> App | None:
    app = store.at(path)
    if not store.carry_over(app, now):
        return None
    if location in app.places.here:
        return app
    before, other = _free(location)
    write = LocationWrite()
    write.lead(before, location, AppTarget(app.name))
    write.place(app, app.places.added(location), now)
    if other is not None and other.name != app.name:
        store.forgets(write, other, location, now)
    return app if write.commit() else None


def move(old: Location, new: Location, now: float) -> App:
    """Move the app at a location to another one of the same site.

    The old location redirects pages to the app, and answers its open sessions, until something else
    is there or it is unlinked. Raise :class:`NoSuchLocation`, :class:`LocationTaken` or
    :class:`TooManyLocations`.
    """
    return store.persist(new, lambda: _move(old, new, now))


def _move(old: Location, new: Location, now: float) -> App | None:
    row, app = store.look(old)
    if app is None:
        raise NoSuchLocation(f"no app is at {old}; `sheen locations` lists what is where")
    if not store.carry_over(app, now):
        return None
    if old not in app.places.here:
        if new in app.places.here:
            return app  # a repeated call
        raise NoSuchLocation(f"the app of {old} has moved to {app.places.on(old.site)}; name that")
    if new == old:
        return app
    if row is None:
        return None  # the app has just been carried over
    before, other = (row_at(new), None) if new in app.places.here else _free(new)
    write = LocationWrite()
    write.lead(before, new, AppTarget(app.name))
    write.lead(row, old, AppTarget(app.name, moved=True))
    write.place(app, app.places.moved(old, new), now)
    if other is not None and other.name != app.name:
        store.forgets(write, other, new, now)
    return app if write.commit() else None


def redirect(location: Location, target: RedirectTarget, now: float) -> None:
    """Let a location lead to a URL; a repeated call changes nothing.

    Raise :class:`LocationTaken` or :class:`TooManyLocations`.
    """
    store.persist(location, lambda: _redirect(location, target, now))


def _redirect(location: Location, target: RedirectTarget, now: float) -> RedirectTarget | None:
    row = row_at(location)
    if row is not None and row.target == target:
        return target
    before, other = _free(location)
    write = LocationWrite()
    write.lead(before, location, target)
    store.forgets(write, other, location, now)
    return target if write.commit() else None


def unlink(location: Location, now: float) -> None:
    """Let a location lead nowhere.

    Raise :class:`NoSuchLocation`, or :class:`LastLocation` if it is the last location of its app on
    the default site.
    """
    store.persist(location, lambda: _unlink(location, now))


def _unlink(location: Location, now: float) -> bool | None:
    row, app = store.look(location)
    if row is None and app is None:
        raise NoSuchLocation(f"nothing is at {location}; `sheen locations` lists what is where")
    write = LocationWrite()
    if app is not None:
        if not store.carry_over(app, now):
            return None
        write.place(app, app.places.removed(location), now)
    if row is None:
        return None  # the app has just been carried over
    write.free(row)
    return True if write.commit() else None


def listed() -> list[tuple[Location, AppTarget | RedirectTarget]]:
    """Read all locations with their targets, in order of site and path."""
    found = {row.location: row.target for row in LocationRow.scan() if row.target is not None}
    for app in App.scan():
        if app.locations is None:
            found.setdefault(app.places.main, AppTarget(app.name))
    return sorted(found.items())


def _free(location: Location) -> tuple[LocationRow | None, App | None]:
    """Return a location's row, and the app that has moved away from it, if there is one.

    Raise :class:`LocationTaken`, or :class:`TooManyLocations` if the deployment is full.
    """
    row, app = store.look(location)
    if row is not None and isinstance(row.target, RedirectTarget):
        raise store.taken_by(location, row.target)
    if app is not None and location in app.places.here:
        raise LocationTaken(
            f"an app is at {location} already; move it (`sheen move {location} /NEW`), or choose "
            "another path"
        )
    if row is None and LocationRow.count() >= MOST_IN_ALL:
        raise TooManyLocations(
            f"this deployment has {MOST_IN_ALL:,} locations; no more are allowed: `sheen unlink` "
            "removes one"
        )
    return row, app
