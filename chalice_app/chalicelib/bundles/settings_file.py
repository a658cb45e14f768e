"""``sheen.toml``: settings that a bundle brings along. Pure; only tasks read it."""

import tomllib
from typing import Any

from chalicelib.apps.errors import BadAppSetting
from chalicelib.apps.settings import AppSettings
from chalicelib.bundles.errors import BadBundle

NAME = "sheen.toml"
"""Beside app.R."""
LARGEST = 64 * 1024


def read(data: bytes, bundle: str) -> dict[str, Any]:
    """Return the settings of the file, checked; raise :class:`BadBundle` that names the line, or the setting and its rule."""
    try:
        values = tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        raise BadBundle(f"bundle {bundle}: {NAME} is not UTF-8 (at byte {error.start}); save it as that") from None
    except tomllib.TOMLDecodeError as error:
        raise BadBundle(f"bundle {bundle}: {NAME} is not TOML: {error}; write NAME = VALUE, text in quotes") from None
    try:
        AppSettings.parse(values)
    except BadAppSetting as error:
        raise BadBundle(f"bundle {bundle}: {NAME}: {error}") from None
    return values
