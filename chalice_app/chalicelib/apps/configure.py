"""Showing and changing an app's settings: what the function ``app_configure`` does, for the command and for whoever else may invoke it."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any, Literal, TypedDict

from pynamodb.exceptions import UpdateError

from chalicelib import telemetry
from chalicelib.apps import grants, locations, store
from chalicelib.apps.errors import BadChange, TooBusy
from chalicelib.apps.model import App
from chalicelib.aws.tables import refused
from chalicelib.configuration.app_settings import MAPS, AppSettings

_ATTEMPTS = 5
_NAMES = frozenset(field.name for field in fields(AppSettings))

Source = Literal["set", "sheen.toml", "default", "ceiling"]
"""Who says what a setting is: the app itself, its active version's bundle, nobody, or the deployment, which allows no more."""


class Configured(TypedDict):
    """An app's settings as they are now."""

    location: str
    settings: dict[str, Any]
    """All of them, with the values that hold."""
    sources: dict[str, Source]


def on_demand(event: Mapping[str, Any], clock: Callable[[], float]) -> Configured:
    """``event``: ``{"location": "/hello", "settings": {"size": "small", "environment.TZ": "UTC", "app_idle_timeout": null}}``.

    Values as in ``sheen.toml``, or as text as on the command line; see :func:`configure`. Without ``settings`` it only shows them. Raise
    :class:`BadLocation`, and what :func:`configure` raises.
    """
    location, changes = event.get("location"), event.get("settings")
    if event.keys() - {"location", "settings"} or not isinstance(location, str) or not isinstance(changes, dict | None):
        raise BadChange('the payload is not {"location": "/PATH"}, with "settings": {"NAME": VALUE} if some are to change')
    app = configure(locations.check(location), changes or {}, clock())
    if changes:
        telemetry.logger.info("configured", extra={"app": app.location, "settings": sorted(changes)})
    settings, wanted = asdict(app.effective_settings()), asdict(app.wanted_settings())
    return {
        "location": app.location,
        "settings": settings,
        "sources": {name: "ceiling" if settings[name] != wanted[name] else _source(app, name) for name in settings},
    }


def _source(app: App, name: str) -> Source:
    if name in (app.settings or {}):
        return "set"
    return "sheen.toml" if name in (app.bundle_settings or {}) else "default"


def configure(location: str, changes: Mapping[str, Any], now: float) -> App:
    """Apply ``changes`` in one conditional write and return the app as it is then; none: only return it.

    Name → value; None or ``""`` goes back to what the bundle says, or the default. ``NAME.KEY`` is one entry of a setting that is a map.
    An instance reads its settings when it starts: a change holds from the next start on. Raise :class:`NoSuchApp`,
    :class:`BadAppSetting` or :class:`TooBusy`; then nothing has changed.
    """
    for _ in range(_ATTEMPTS):
        app = store.get(location)
        before = dict(app.settings or {})
        wanted = changed(before, changes)
        held = AppSettings.effective(app.bundle_settings or {}, wanted)
        if not changes:
            return app
        grants.check(location, held)
        App.ceilings.check(held, {name for name, value in changes.items() if value is not None and value != ""})
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


def changed(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``settings`` with ``changes`` applied. Pure."""
    result = dict(settings)
    for whole, value in changes.items():
        taken_back = value is None or value == ""
        name, dot, key = whole.partition(".")
        if dot and name in MAPS:
            entries = dict(getattr(AppSettings.parse({name: result[name]}), name)) if name in result else {}
            if taken_back:
                entries.pop(key, None)
            else:
                entries[key] = value
            result[name] = entries
            if not entries:
                del result[name]
        elif not taken_back:
            result[whole] = value
        elif whole in _NAMES:
            result.pop(whole, None)
        else:
            AppSettings.parse({whole: value})
    return result
