"""Changing an app's settings: what the command and the API both do."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from pynamodb.exceptions import UpdateError

from chalicelib.apps import store
from chalicelib.apps.errors import BadChange, TooBusy
from chalicelib.apps.model import App
from chalicelib.apps.settings import MAPS, AppSettings
from chalicelib.tables import refused

_ATTEMPTS = 5


def configure(location: str, changes: Sequence[str], now: float) -> App:
    """Apply ``changes`` in one conditional write and return the app as it is then; none: only return it.

    ``NAME=VALUE``; ``NAME=`` goes back to what the bundle says, or the default. ``NAME.KEY=VALUE`` changes one entry of a setting that is
    a map, ``NAME.KEY=`` takes it back. An instance reads its settings when it starts: a change holds from the next start on. Raise
    :class:`NoSuchApp`, :class:`BadChange`, :class:`BadAppSetting` or :class:`TooBusy`; then nothing has changed.
    """
    for _ in range(_ATTEMPTS):
        app = store.get(location)
        before = dict(app.settings or {})
        wanted = changed(before, changes)
        AppSettings.effective(app.bundle_settings or {}, wanted)
        if not changes:
            return app
        unchanged = (App.settings == before) & (App.app_id == app.app_id)
        if app.active_version is not None:
            unchanged &= App.active_version == app.active_version  # and with it what the bundle says
        try:
            app.update(actions=[App.settings.set(wanted), App.updated_at.set(now)], condition=unchanged)
        except UpdateError as error:
            if not refused(error):
                raise
        else:
            return app
    raise TooBusy(f"others change the app at {location} all the time; try again")


def changed(settings: Mapping[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """Return ``settings`` with ``changes`` applied. Pure."""
    result = dict(settings)
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals or not name:
            raise BadChange(f'"{change}" is not NAME=VALUE, as in app_idle_timeout=60')
        name, dot, key = name.partition(".")
        if dot and name in MAPS:
            entries = dict(getattr(AppSettings.parse({name: result[name]}), name)) if name in result else {}
            if value:
                entries[key] = value
            else:
                entries.pop(key, None)
            result[name] = entries
            if not entries:
                del result[name]
        elif value:
            result[name + dot + key] = value
        elif name in {field.name for field in fields(AppSettings)} and not dot:
            result.pop(name, None)
        else:
            AppSettings.parse({name + dot + key: value})
    return result
