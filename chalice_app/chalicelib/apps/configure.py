"""Showing and changing an app's settings, as the function ``app_configure`` does.

The command invokes it, as may any other permitted caller.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TypedDict

from chalicelib import telemetry
from chalicelib.apps import grants, locations, store
from chalicelib.apps.errors import BadChange, TooBusy
from chalicelib.apps.model import App
from chalicelib.configuration.app_settings import DECLARED, MAPS, read
from chalicelib.configuration.layers import Resolved

_ATTEMPTS = 5


class ValueSource(TypedDict):
    """Where a value comes from."""

    layer: str
    """A :class:`chalicelib.configuration.declaring.LayerKind`."""
    where: str
    """The place in the layer, as people know it; empty for a default."""
    ceiling: str
    """The ceiling of the deployment that has cut the value; empty if none has."""


class AppConfiguration(TypedDict):
    """An app's settings as they are now."""

    location: str
    settings: dict[str, Any]
    """All settings, with the values that hold."""
    sources: dict[str, ValueSource]
    """By name, and for each entry of a map by ``NAME.KEY``."""


def on_demand(event: Mapping[str, Any], clock: Callable[[], float]) -> AppConfiguration:
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
    app = configure(store.at(locations.check(location)).name, changes or {}, clock())
    if changes:
        telemetry.logger.info("configured", extra={"app": app.name, "settings": sorted(changes)})
    resolved = app.resolved()
    return {
        "location": app.location,
        "settings": asdict(resolved.settings),
        "sources": {name: _source(resolved, name) for name in (*DECLARED, *resolved.origins)},
    }


def _source(resolved: Resolved, name: str) -> ValueSource:
    origin = resolved.origin_of(name)
    return {
        "layer": origin.kind,
        "where": origin.where,
        "ceiling": resolved.ceilings.get(name, ""),
    }


def configure(name: str, changes: Mapping[str, Any], now: float) -> App:
    """Apply ``changes`` in one conditional write and return the app as it is then.

    Without changes, only return the app. ``changes`` maps names to values; None or ``""`` resets a
    setting to the bundle's value or the default. ``NAME.KEY`` is one entry of a setting that is a
    map. An instance reads its settings when it starts, so a change takes effect at the next start.
    Raise :class:`NoSuchApp`, :class:`BadAppSetting` or :class:`TooBusy`; then nothing has changed.
    """
    for _ in range(_ATTEMPTS):
        app = store.get(name)
        before = dict(app.settings or {})
        wanted = changed(before, changes)
        held = app.wanted(own=wanted).settings
        if not changes:
            return app
        grants.check(name, held)
        App.ceilings.check(
            held, {name for name, value in changes.items() if value is not None and value != ""}
        )
        unchanged = (App.settings == before) & (App.app_id == app.app_id)
        if app.active_version is not None:
            # The bundle's settings belong to the active version.
            unchanged &= App.active_version == app.active_version
        if app.update_if(unchanged, [App.settings.set(wanted), App.updated_at.set(now)]):
            return app
    raise TooBusy(f"others change the app at {name} all the time; try again")


def changed(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``settings`` with ``changes`` applied. Pure."""
    result = dict(settings)
    for whole, value in changes.items():
        taken_back = value is None or value == ""
        name, dot, key = whole.partition(".")
        if dot and name in MAPS:
            entries = dict(read(name, result[name])) if name in result else {}
            if taken_back:
                entries.pop(key, None)
            else:
                entries[key] = value
            result[name] = entries
            if not entries:
                del result[name]
        elif not taken_back:
            result[whole] = value
        elif whole in DECLARED:
            result.pop(whole, None)
        else:
            read(whole, value)
    return result
