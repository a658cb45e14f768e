"""Who may see an app at all. Pure but for the pages' templates."""

from chalicelib import pages
from chalicelib.apps.model import App
from chalicelib.errors import SheenError
from chalicelib.visits.answer import Answer
from chalicelib.visits.request import VisitorRequest
from chalicelib.visits.routing import wants_page


def refused(request: VisitorRequest, app: App) -> Answer | None:
    """Return what a visitor gets who may not see the app; None for one who may."""
    if app.archived_at is not None:
        message = "Its author has put it away. It opens here again when it is restored: ask whoever sent you here."
        return _refusal(request, 410, "This app is archived", message)
    if app.effective_settings().visibility == "private":
        message = "Only people who have signed in may see it, and nobody can sign in here yet."
        return _refusal(request, 403, "This app is private", message)
    return None


def is_listed(app: App) -> bool:
    """Whether the list of apps shows it; an app whose settings cannot be read is left out."""
    if app.archived_at is not None:
        return False
    try:
        return app.effective_settings().visibility == "public"
    except SheenError:
        return False


def _refusal(request: VisitorRequest, status: int, title: str, message: str) -> Answer:
    if wants_page(request):
        return Answer.page(pages.error(title, message, status=status))
    return Answer.text(status, f"{title}. {message}\n")
