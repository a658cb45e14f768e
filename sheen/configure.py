"""``sheen configure /PATH [NAME=VALUE …]``: show or change an app's settings."""

import json
from collections.abc import Mapping, Sequence

from chalicelib.apps import locations
from chalicelib.apps.configure import AppConfiguration, ValueSource
from chalicelib.apps.errors import BadChange
from chalicelib.configuration.declaring import LayerKind
from chalicelib.configuration.deployment import Settings
from chalicelib.configuration.layers import Origin
from chalicelib.configuration.rules import plain
from sheen.console import table
from sheen.functions import call


def configure(settings: Settings, location: str, words: Sequence[str]) -> None:
    """Apply the changes with :func:`chalicelib.apps.configure.configure`, then show every setting.

    ``NAME=`` restores the bundle's value, or the default. Raise :class:`BadChange`, and as
    :func:`sheen.functions.call` does; then nothing has changed.
    """
    event = {"location": locations.check(location), "settings": changes(words)}
    configured: AppConfiguration = json.loads(call(settings, "app_configure", event))
    table(("SETTING", "VALUE", "FROM"), rows(configured))


def rows(configured: AppConfiguration) -> list[tuple[str, str, str]]:
    """Return each setting, or each entry of a map, with its value and where it comes from. Pure."""
    sources = configured["sources"]
    values = {
        name: entry
        for whole, value in configured["settings"].items()
        for name, entry in _entries(whole, value).items()
    }
    return [(name, plain(value), told(sources[name])) for name, value in values.items()]


def _entries(name: str, value: object) -> dict[str, object]:
    if isinstance(value, Mapping) and value:
        return {f"{name}.{key}": entry for key, entry in value.items()}
    return {name: value}


def told(source: ValueSource) -> str:
    """Say where a value comes from.

    >>> told({"layer": "bundle", "where": "sheen.toml", "ceiling": "largest_size"})
    'bundle (sheen.toml), cut to the ceiling largest_size'
    """
    origin = str(Origin(LayerKind(source["layer"]), source["where"]))
    return f"{origin}, cut to the ceiling {source['ceiling']}" if source["ceiling"] else origin


def changes(words: Sequence[str]) -> dict[str, str]:
    """Return the changes that ``NAME=VALUE`` words ask for; raise :class:`BadChange`. Pure."""
    result: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise BadChange(f'"{word}" is not NAME=VALUE, as in app_idle_timeout=60')
        result[name] = value
    return result
