"""Changing locations together with what counts them, in one transaction.

An app's row lists the app's locations, and a site's row counts the site's. Each change of a
location changes them too, or nothing at all (FACTS D2).
"""

from collections import Counter

from pynamodb.expressions.condition import Condition

from chalicelib.apps.model import SITE, App, LocationRow
from chalicelib.apps.sites import EVERY_HOST, Location, Places, Target
from chalicelib.aws.tables import Together


class LocationWrite:
    """One change, collected first and written by :meth:`commit`.

    Each row must be as it was read, or the whole change is refused.
    """

    def __init__(self) -> None:
        self._together = Together()
        self._more: Counter[str] = Counter()
        """How many locations each site gets."""

    def lead(self, before: LocationRow | None, location: Location, target: Target) -> None:
        """Let a location lead to a target; ``before`` is its row until now."""
        self._together.save(LocationRow.of(location, target), condition=_as_read(before))
        self._more[location.site] += before is None

    def free(self, before: LocationRow) -> None:
        """Remove a location."""
        self._together.delete(before, condition=_as_read(before))
        self._more[before.site] -= 1

    def place(self, app: App, places: Places, now: float) -> None:
        """List these locations in the app's row."""
        condition = App.app_id == app.app_id
        for attribute, value in ((App.locations, app.locations), (App.left, app.left)):
            condition &= attribute == value if value is not None else attribute.does_not_exist()
        self._together.update(
            App(app.name),
            [
                App.locations.set([str(each) for each in places.here]),
                App.left.set([str(each) for each in places.left]),
                App.updated_at.set(now),
            ],
            condition,
        )

    def make_app(self, app: App) -> None:
        """Make an app, whose name must be free."""
        self._together.save(app, condition=App.name.does_not_exist())

    def delete_app(self, app: App, condition: Condition) -> None:
        """Delete an app."""
        self._together.delete(App(app.name), condition=condition)

    def commit(self) -> bool:
        """Write all of it; return False if something has changed since it was read."""
        for site, more in self._more.items():
            if more and site != EVERY_HOST:
                self._count(site, more)
        return self._together.write_if()

    def _count(self, site: str, more: int) -> None:
        before = row_at(Location(site, SITE))
        if before is None:
            first = LocationRow(site, SITE, held=more)
            self._together.save(first, condition=LocationRow.site.does_not_exist())
            return
        held, condition = int(before.held or 0), LocationRow.held == before.held
        if held + more <= 0:
            self._together.delete(before, condition=condition)
        else:
            self._together.update(before, [LocationRow.held.set(held + more)], condition)


def row_at(location: Location) -> LocationRow | None:
    """Read the row of a location, consistently, or None."""
    try:
        return LocationRow.get(*location, consistent_read=True)
    except LocationRow.DoesNotExist:
        return None


def _as_read(before: LocationRow | None) -> Condition:
    if before is None:
        return LocationRow.site.does_not_exist()
    condition = LocationRow.site.exists()
    for attribute, value in (
        (LocationRow.app, before.app),
        (LocationRow.moved, before.moved),
        (LocationRow.url, before.url),
    ):
        condition &= attribute == value if value is not None else attribute.does_not_exist()
    return condition
