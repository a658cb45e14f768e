"""The rows of apps."""

import secrets
from collections.abc import Iterable

from pynamodb.exceptions import PutError

from chalicelib.apps.errors import NoSuchApp
from chalicelib.apps.model import App
from chalicelib.aws.tables import refused
from chalicelib.unix_ids import store as unix_ids


def at(locations: Iterable[str]) -> dict[str, App]:
    """Read the apps at some locations (at most 100), in one call; those that are not there are left out."""
    return {app.location: app for app in App.batch_get(list(locations))}


def everywhere() -> list[App]:
    """Read all apps, by location."""
    return sorted(App.scan(), key=lambda app: app.location)


def get(location: str) -> App:
    """Read the app at a location, consistently; raise :class:`NoSuchApp`."""
    try:
        return App.get(location, consistent_read=True)
    except App.DoesNotExist:
        raise NoSuchApp(f"no app at {location}; `sheen apps` lists where there are some") from None


def ensure(location: str, now: float) -> App:
    """Return the app at a location; make it, without a version, when there is none. Of two who make it at once one does."""
    for _ in range(2):
        try:
            return App.get(location, consistent_read=True)
        except App.DoesNotExist:
            app = App(
                location,
                app_id=secrets.token_hex(6),
                unix_id=unix_ids.draw(f"app {location}", now),
                settings={},
                created_at=now,
                updated_at=now,
            )
            try:
                app.save(condition=App.location.does_not_exist())
            except PutError as error:
                if not refused(error):
                    raise  # the row may be there all the same, with its number
                unix_ids.give_back(int(app.unix_id))
            else:
                return app
    return App.get(location, consistent_read=True)
