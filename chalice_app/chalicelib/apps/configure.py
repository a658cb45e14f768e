"""Showing and changing an app's settings, as the function ``app_configure`` does.

The command invokes it, as may any other permitted caller.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any, Literal, TypedDict

from chalicelib import telemetry
from chalicelib.apps import grants, locations, store
from chalicelib.apps.errors import BadChange, TooBusy
from chalicelib.apps.model import App
from chalicelib.configuration.app_settings import MAPS, AppSettings

_ATTEMPTS = 5
_NAMES = frozenset(field.name for field in fields(AppSettings))

Source = Literal["set", "sheen.toml", "default", "ceiling"]
"""Where a setting's value comes from.

It is the app itself, its active version's bundle, the default, or a ceiling of the deployment that
cuts the value.
"""


class Configured(TypedDict):
    """An app's settings as they are now."""

    location: str
    settings: dict[str, Any]
    """All settings, with their effective values."""
    sources: dict[str, Source]


def on_demand(event: Mapping[str, Any], clock: Callable[[], float]) -> Configured:
    """Show or change the settings of an app.

    ``event`` is, for example, ``{"location": "/hello", "settings": {"size": "small",
    "environment.TZ": "UTC", "app_idle_timeout": null}}``. Values are as in ``sheen.toml``, or text
    as on the command line; see :func:`configure`. Without ``settings``, nothing is changed. Raise
    :class:`BadChange` if the event has another form, :class:`BadLocation`, and what
    :func:`configure` raises.
    """
    location, changes = event.get("location"), event.get("settings")
    if (
        event.keys() - {"location", "settings"}
        or not isinstance(location, str)
        or not isinstance(changes, dict | None)
    ):
        raise BadChange(
            'the payload is not {"location": "/PATH"}, with "settings": {"NAME": VALUE} '
            "if some are to change"
        )
    app = configure(locations.check(location), changes or {}, clock())
    if changes:
        telemetry.logger.info(
            "configured", extra={"app": app.location, "settings": sorted(changes)}
        )
    settings, wanted = asdict(app.effective_settings()), asdict(app.wanted_settings())
    return {
        "location": app.location,
        "settings": settings,
        "sources": {
            name: "ceiling" if settings[name] != wanted[name] else _source(app, name)
            for name in settings
        },
    }


def _source(app: App, name: str) -> Source:
    if name in (app.settings or {}):
        return "set"
    return "sheen.toml" if name in (app.bundle_settings or {}) else "default"


def configure(location: str, changes: Mapping[str, Any], now: float) -> App:
    """Apply ``changes`` in one conditional write and return the app as it is then.

    Without changes, only return the app. ``changes`` maps names to values; None or ``""`` resets a
    setting to the bundle's value or the default. ``NAME.KEY`` is one entry of a setting that is a
    map. An instance reads its settings when it starts, so a change takes effect at the next start.
    Raise :class:`NoSuchApp`, :class:`BadAppSetting` or :class:`TooBusy`; then nothing has changed.
    """
    for _ in range(_ATTEMPTS):
        app = store.get(location)
        before = dict(app.settings or {})
        wanted = changed(before, changes)
        held = AppSettings.effective(app.bundle_settings or {}, wanted)
        if not changes:
            return app
        grants.check(location, held)
        App.ceilings.check(
            held, {name for name, value in changes.items() if value is not None and value != ""}
        )
        unchanged = (App.settings == before) & (App.app_id == app.app_id)
        if app.active_version is not None:
            # The bundle's settings belong to the active version.
            unchanged &= App.active_version == app.active_version
        if app.update_if(unchanged, [App.settings.set(wanted), App.updated_at.set(now)]):
            return app
    raise TooBusy(f"others change the app at {location} all the time; try again")


def changed(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``settings`` with ``changes`` applied. Pure."""
    result = dict(settings)
    for whole, value in changes.items():
        taken_back = value is None or value == ""
        name, dot, key = whole.partition(".")
        if dot and name in MAPS:
            entries = (
                dict(getattr(AppSettings.parse({name: result[name]}), name))
                if name in result
                else {}
            )
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
