"""``sheen configure /PATH [NAME=VALUE …]``: show or change an app's settings."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from chalicelib.apps import configure as apps
from chalicelib.apps import locations
from chalicelib.apps.model import App
from sheen.console import table


def configure(location: str, changes: Sequence[str]) -> None:
    """Apply ``changes``, see :func:`chalicelib.apps.configure.configure`, then show every setting.

    Raises :class:`NoSuchApp`, :class:`BadChange` or :class:`chalicelib.apps.errors.BadAppSetting`; then nothing has changed.
    """
    show(apps.configure(locations.check(location), changes, time.time()))


def show(app: App) -> None:
    """List every setting with its value, and whether the app itself or its bundle has it."""
    own, bundle = app.settings or {}, app.bundle_settings or {}
    table(
        ("SETTING", "VALUE", ""),
        [
            (name, plain(value), "set" if name in own else "sheen.toml" if name in bundle else "default")
            for name, value in asdict(app.effective_settings()).items()
        ],
    )


def plain(value: object) -> str:
    """Return a value as one would write it on the command line."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case tuple() | list():
            return " ".join(plain(part) for part in value)
        case Mapping():
            return " ".join(f"{name}={entry}" for name, entry in value.items())
        case _:
            return str(value)
