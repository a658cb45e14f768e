"""The one place where visitors of an app are let in or not.

It judges every request of an app, before the app gets it: pages, files, SockJS, uploads and
downloads. A socket needs the ticket of a page.
"""

from urllib.parse import quote

from chalicelib import pages
from chalicelib.apps.directory import AppAtPath
from chalicelib.identity.admission import SignedIn, Verdict
from chalicelib.identity.destinations import LOGIN, LOGOUT
from chalicelib.visits import admission
from chalicelib.visits.answer import Answer
from chalicelib.visits.request import VisitorRequest
from chalicelib.visits.routing import wants_page


def refusal(request: VisitorRequest, found: AppAtPath) -> Answer | None:
    """Return the answer to a visitor who is not let in; None for any other.

    A page leads to the sign-in page and back. Anything else is told by its status: a redirect would
    give a script a page instead of its data.
    """
    user = request.user
    said = admission.verdict(found.readable_settings, user.visitor if user is not None else None)
    if said is Verdict.ADMITTED:
        return None
    if not wants_page(request):
        return _told(request, said)
    if user is None or said is Verdict.SIGN_IN:
        return Answer.redirect(sign_in_url(request), 303)
    return Answer.page(_not_allowed(request, user, said))


def sign_in_url(request: VisitorRequest) -> str:
    """Return the URL of the sign-in page that comes back to what is requested."""
    return f"{request.base}{LOGIN}?next={quote(request.url, safe='/')}"


def sign_out_url(request: VisitorRequest) -> str:
    """Return the URL of the page that signs out."""
    return f"{request.base}{LOGOUT}"


def _told(request: VisitorRequest, said: Verdict) -> Answer:
    if said is Verdict.SIGN_IN:
        message = "nobody is signed in here any more; load the page again to sign in"
        return Answer.json(401, {"message": message, "sign_in": request.base + LOGIN})
    return Answer.json(403, {"message": "the user who is signed in may not see this app"})


def _not_allowed(request: VisitorRequest, user: SignedIn, said: Verdict) -> pages.Page:
    if said is Verdict.GROUPS_UNKNOWN:
        message = (
            "This app is for certain groups, and your sign-in did not say which groups you are in. "
            "Ask whoever runs this server."
        )
        title = "Your groups are not known"
    else:
        title, message = "You may not see this app", "Ask the app's owner to let you in."
    return pages.not_allowed(title, message, user.visitor.name, sign_in_url(request))
