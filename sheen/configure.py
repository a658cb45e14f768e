"""``sheen configure /PATH [NAME=VALUE …]``: show or change an app's settings."""

import json
import shlex
from collections.abc import Mapping, Sequence

from chalicelib.apps import locations
from chalicelib.apps.configure import Configured
from chalicelib.apps.errors import BadChange
from chalicelib.configuration.deployment import Settings
from sheen.console import table
from sheen.functions import call


def configure(settings: Settings, location: str, words: Sequence[str]) -> None:
    """Apply the changes with :func:`chalicelib.apps.configure.configure`, then show every setting.

    ``NAME=`` restores the bundle's value, or the default. Raise :class:`BadChange`, and as
    :func:`sheen.functions.call` does; then nothing has changed.
    """
    event = {"location": locations.check(location), "settings": changes(words)}
    configured: Configured = json.loads(call(settings, "app_configure", event))
    sources = configured["sources"]
    table(
        ("SETTING", "VALUE", ""),
        [(name, plain(value), sources[name]) for name, value in configured["settings"].items()],
    )


def changes(words: Sequence[str]) -> dict[str, str]:
    """Return the changes that ``NAME=VALUE`` words ask for; raise :class:`BadChange`. Pure."""
    result: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise BadChange(f'"{word}" is not NAME=VALUE, as in app_idle_timeout=60')
        result[name] = value
    return result


def plain(value: object) -> str:
    """Return a value as it is written on the command line."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case tuple() | list():
            return shlex.join(plain(part) for part in value)
        case Mapping():
            return shlex.join(f"{name}={entry}" for name, entry in value.items())
        case _:
            return str(value)
