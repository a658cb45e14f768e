"""Which apps visitors may know of. Pure.

To visitors, a private or an archived app looks as if nothing were published at its location. They
get the same answer as without it: a page of Sheen, or the answer of an app above it. Otherwise
anybody could find out which locations exist.
"""

from chalicelib.apps.model import App
from chalicelib.errors import SheenError


def is_shown(app: App) -> bool:
    """Return whether visitors may know of an app.

    Nobody can sign in yet, so nobody may know of a private app.
    """
    return app.archived_at is None and _visibility(app) != "private"


def is_listed(app: App) -> bool:
    """Return whether the list of apps shows an app; one with unreadable settings is left out."""
    return app.archived_at is None and _visibility(app) == "public"


def _visibility(app: App) -> str | None:
    """Return who may see an app.

    If its settings cannot be read, return ``private`` if its own or its bundle's settings say so,
    and None otherwise.
    """
    try:
        return app.effective_settings().visibility
    except SheenError:
        said = [
            settings.get("visibility")
            for settings in (app.settings or {}, app.bundle_settings or {})
        ]
        return "private" if "private" in said else None
