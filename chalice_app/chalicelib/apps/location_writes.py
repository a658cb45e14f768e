"""Changing locations together with what counts them, in one transaction.

An app's row lists the app's locations, and a site's row counts the site's. Each change of a
location changes them too, or nothing at all (FACTS D2).
"""

from collections import Counter
from collections.abc import Callable

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from chalicelib.apps.model import SITE, App, LocationRow
from chalicelib.apps.sites import EVERY_HOST, Location, Places, Target
from chalicelib.aws.tables import refused, transaction


class LocationWrite:
    """One change, collected first and written by :meth:`commit`.

    Each row must be as it was read, or the whole change is refused.
    """

    def __init__(self) -> None:
        self._actions: list[Callable[[TransactWrite], None]] = []
        self._more: Counter[str] = Counter()
        """How many locations each site gets."""

    def lead(self, before: LocationRow | None, location: Location, target: Target) -> None:
        """Let a location lead to a target; ``before`` is its row until now."""
        row, condition = LocationRow.of(location, target), _as_read(before)
        self._actions.append(lambda write: write.save(row, condition=condition))
        self._more[location.site] += before is None

    def free(self, before: LocationRow) -> None:
        """Remove a location."""
        condition = _as_read(before)
        self._actions.append(lambda write: write.delete(before, condition=condition))
        self._more[before.site] -= 1

    def place(self, app: App, places: Places, now: float) -> None:
        """List these locations in the app's row."""
        actions: list[Action] = [
            App.locations.set([str(each) for each in places.here]),
            App.left.set([str(each) for each in places.left]),
            App.updated_at.set(now),
        ]
        condition = (App.app_id == app.app_id) & (
            (App.locations == app.locations)
            if app.locations is not None
            else App.locations.does_not_exist()
        )
        condition &= (App.left == app.left) if app.left is not None else App.left.does_not_exist()
        self._actions.append(lambda write: write.update(App(app.name), actions, condition))

    def make(self, app: App) -> None:
        """Make an app, whose name must be free."""
        self._actions.append(lambda write: write.save(app, condition=App.name.does_not_exist()))

    def delete(self, app: App, condition: Condition) -> None:
        """Delete an app."""
        self._actions.append(lambda write: write.delete(App(app.name), condition=condition))

    def commit(self) -> bool:
        """Write all of it; return False if something has changed since it was read."""
        counts = [self._counted(site, more) for site, more in self._more.items() if more]
        try:
            with transaction() as write:
                for act in (*self._actions, *counts):
                    act(write)
        except TransactWriteError as error:
            if refused(error):
                return False
            raise
        return True

    def _counted(self, site: str, more: int) -> Callable[[TransactWrite], None]:
        if site == EVERY_HOST:
            return lambda write: None
        before = row_at(Location(site, SITE))
        if before is None:
            first = LocationRow(site, SITE, held=more)
            return lambda write: write.save(first, condition=LocationRow.site.does_not_exist())
        held, condition = int(before.held or 0), LocationRow.held == before.held
        if held + more <= 0:
            return lambda write: write.delete(before, condition=condition)
        actions: list[Action] = [LocationRow.held.set(held + more)]
        return lambda write: write.update(before, actions, condition)


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
