"""Which apps visitors may know of. Pure.

To visitors, a private or an archived app looks as if nothing were published at its location. They
get the same answer as without it: a page of Sheen, or the answer of an app above it. Otherwise
anybody could find out which locations exist.
"""

from chalicelib.apps.model import App
from chalicelib.configuration.app_settings import AppSettings


def is_shown(app: App, settings: AppSettings | None) -> bool:
    """Return whether visitors may know of an app; ``settings`` are None if they cannot be read.

    Nobody can sign in yet, so nobody may know of a private app.
    """
    return app.archived_at is None and _visibility(app, settings) != "private"


def is_listed(app: App, settings: AppSettings | None) -> bool:
    """Return whether the list of apps shows an app; one with unreadable settings is left out."""
    return app.archived_at is None and _visibility(app, settings) == "public"


def _visibility(app: App, settings: AppSettings | None) -> str | None:
    """Return who may see an app.

    If its settings cannot be read, return ``private`` if any layer says so, and None otherwise.
    """
    if settings is not None:
        return settings.visibility
    layers = (app.defaults.values, app.bundle_settings or {}, app.settings or {})
    return "private" if "private" in [values.get("visibility") for values in layers] else None
