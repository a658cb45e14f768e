"""Which apps visitors may know of, and who gets in. Pure.

To who is not signed in, a private or an archived app looks as if nothing were published at its
location. They get the same answer as without it: a page of Sheen, or the answer of an app above it.
Otherwise anybody could find out which locations exist.
"""

from chalicelib.apps.model import App
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.identity import admission
from chalicelib.identity.admission import Rules, Verdict, Visibility, Visitor

_CLOSING = ("required_user", "required_group")


def rules_of(settings: AppSettings) -> Rules:
    """Return what an app's settings require of its visitors."""
    return Rules(
        Visibility(settings.visibility),
        settings.required_user,
        settings.required_group,
        settings.viewers,
        settings.collaborators,
    )


def is_shown(app: App, settings: AppSettings | None, visitor: Visitor | None) -> bool:
    """Return whether a visitor may know of an app; ``settings`` are None if they cannot be read.

    ``visitor`` is None if nobody is signed in.
    """
    if app.archived_at is not None:
        return False
    if settings is None:
        return not _may_be_closed(app)
    return visitor is not None or settings.visibility != Visibility.PRIVATE


def verdict(settings: AppSettings | None, visitor: Visitor | None) -> Verdict:
    """Return whether a visitor may see an app that they may know of.

    An app whose settings cannot be read, and which may be known nevertheless, lets nobody further
    than to the message that says so.
    """
    return Verdict.ADMITTED if settings is None else admission.judge(rules_of(settings), visitor)


def _may_be_closed(app: App) -> bool:
    """Return whether some layer of settings that cannot be read might keep somebody out."""
    layers = (app.defaults.values, app.bundle_settings or {}, app.settings or {})
    return any(
        values.get("visibility") in (Visibility.PRIVATE, Visibility.SIGNED_IN)
        or any(values.get(name) for name in _CLOSING)
        for values in layers
    )
