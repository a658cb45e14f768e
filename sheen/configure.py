"""``sheen configure /PATH [NAME=VALUE …]``: show or change an app's settings."""

import time
from collections.abc import Sequence
from dataclasses import asdict, fields

from chalicelib.apps import locations
from chalicelib.apps.model import App
from chalicelib.apps.settings import AppSettings
from chalicelib.errors import SheenError
from sheen.console import table


class NoSuchApp(SheenError):
    """Nothing is published there."""


class BadChange(SheenError):
    """What was asked is not ``NAME=VALUE``."""


def configure(location: str, changes: Sequence[str]) -> None:
    """Apply ``changes`` (``NAME=VALUE``; ``NAME=`` goes back to the default), then show every setting.

    An instance reads its settings when it starts: a change holds from the next start on.
    Raises :class:`NoSuchApp`, :class:`BadChange` or :class:`chalicelib.apps.errors.BadAppSetting`; then nothing has changed.
    """
    location = locations.check(location)
    try:
        app = App.get(location, consistent_read=True)
    except App.DoesNotExist:
        raise NoSuchApp(f"no app at {location}; `sheen apps` lists where there are some") from None
    wanted = changed(dict(app.settings), changes)
    AppSettings.parse(wanted)
    if changes:
        app.update(actions=[App.settings.set(wanted), App.updated_at.set(time.time())], condition=App.location.exists())
    show(wanted)


def changed(settings: dict[str, object], changes: Sequence[str]) -> dict[str, object]:
    """Return ``settings`` with ``changes`` applied."""
    result = dict(settings)
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals or not name:
            raise BadChange(f'"{change}" is not NAME=VALUE, as in app_idle_timeout=60')
        if value:
            result[name] = value
        elif name in {field.name for field in fields(AppSettings)}:
            result.pop(name, None)
        else:
            AppSettings.parse({name: value})
    return result


def show(settings: dict[str, object]) -> None:
    """List every setting with its value and whether the author set it."""
    values = asdict(AppSettings.parse(settings))
    table(
        ("SETTING", "VALUE", ""),
        [(name, plain(value), "set" if name in settings else "default") for name, value in values.items()],
    )


def plain(value: object) -> str:
    """Return a value as one would write it on the command line."""
    match value:
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case tuple() | list():
            return " ".join(str(part) for part in value)
        case _:
            return str(value)
