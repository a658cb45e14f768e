"""Who may know that an app is there. Pure.

A private or an archived app is to visitors as if nothing were published at its location: the same
answer, whether that is Sheen's page or the answer of an app above it. Otherwise anybody could find
out which locations there are.
"""

from chalicelib.apps.model import App
from chalicelib.errors import SheenError


def is_shown(app: App) -> bool:
    """Tell whether visitors may know of an app. Nobody can sign in yet, so nobody may know of a
    private one."""
    return app.archived_at is None and _visibility(app) != "private"


def is_listed(app: App) -> bool:
    """Tell whether the list of apps shows an app; one whose settings cannot be read is left out."""
    return app.archived_at is None and _visibility(app) == "public"


def _visibility(app: App) -> str | None:
    """Return who may see an app; None if its settings cannot be read, and neither its own nor its
    bundle's say private."""
    try:
        return app.effective_settings().visibility
    except SheenError:
        said = [settings.get("visibility") for settings in (app.settings or {}, app.bundle_settings or {})]
        return "private" if "private" in said else None
