"""The rows of apps."""

import secrets
from collections.abc import Iterable

from chalicelib.apps.errors import NoSuchApp
from chalicelib.apps.model import App
from chalicelib.unix_ids import store as unix_ids


def at(locations: Iterable[str]) -> dict[str, App]:
    """Read the apps at some locations (at most 100) in one call, leaving out missing ones."""
    return {app.location: app for app in App.batch_get(list(locations))}


def everywhere() -> list[App]:
    """Read all apps, sorted by location."""
    return sorted(App.scan(), key=lambda app: app.location)


def get(location: str) -> App:
    """Read the app at a location, consistently; raise :class:`NoSuchApp` if there is none."""
    try:
        return App.get(location, consistent_read=True)
    except App.DoesNotExist:
        raise NoSuchApp(f"no app at {location}; `sheen apps` lists where there are some") from None


def ensure(location: str, now: float) -> App:
    """Return the app at a location; if there is none, make it, without a version.

    If two callers make it at once, one succeeds and both get the same app.
    """
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
            # If the write fails, the row may be there nevertheless: its number stays taken.
            if app.save_if(App.location.does_not_exist()):
                return app
            unix_ids.give_back(int(app.unix_id))
    return App.get(location, consistent_read=True)
