"""``sheen.toml``: settings that come with a bundle. Pure; only tasks read it."""

import tomllib
from typing import Any

from chalicelib.configuration import layers
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.publishing import toml_nesting
from chalicelib.publishing.errors import BadBundle

NAME = "sheen.toml"
"""The file's name, beside app.R."""
LARGEST = 64 * 1024


def read(data: bytes, bundle: str) -> dict[str, Any]:
    """Return the settings of the file, checked.

    Raise :class:`BadBundle` that names the line, or the setting and its rule.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise BadBundle(
            f"bundle {bundle}: {NAME} is not UTF-8 (at byte {error.start}); save it as that"
        ) from None
    line = toml_nesting.too_deep(text)
    if line is not None:
        raise BadBundle(
            f"bundle {bundle}: {NAME}: line {line} nests more than {toml_nesting.DEEPEST} "
            "levels; no setting does"
        )
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # tomllib's own error is a ValueError; numbers with thousands of digits raise another one.
        raise BadBundle(
            f"bundle {bundle}: {NAME} is not TOML: {error}; write NAME = VALUE, text in quotes"
        ) from None
    try:
        layers.resolve([layers.bundle(values)])
    except BadAppSetting as error:
        raise BadBundle(f"bundle {bundle}: {NAME}: {error}") from None
    return values
