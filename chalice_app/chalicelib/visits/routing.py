"""Where a request goes, decided by its path, query and headers. Pure."""

from typing import NamedTuple

from chalicelib.apps.sites import RedirectTarget
from chalicelib.instances.model import VersionId
from chalicelib.instances.worker_id import WorkerId, named
from chalicelib.sessions import passes
from chalicelib.sessions.tickets import instance_of
from chalicelib.visits.request import VisitorRequest

START_STATUS = "/__sheen__/start"
QUEUE_STATUS = "/__sheen__/queue"
SOCKJS = "/__sockjs__/"

NO_PAGES = ("/__sockjs__/", "/__sheen__/", "/session/")
_PAGE_DESTINATIONS = frozenset({"document", "iframe", "frame", "embed", "object"})


class SlashRedirect(NamedTuple):
    """A redirect to the location with a slash, which an app's relative URLs need.

    Or to the place that the app has moved to.
    """

    to: str


class StartStatusRequest(NamedTuple):
    """A request of the waiting page for the progress of a start."""

    instance_id: str


class QueueStatusRequest(NamedTuple):
    """A request of a full app's page: may the visitor enter?"""

    place: str


class Navigation(NamedTuple):
    """A request for a page of the app, which needs a seat."""


class ToWorker(NamedTuple):
    """A request for one particular R process."""

    worker: WorkerId


class Asset(NamedTuple):
    """A request that any ready instance of the version can answer."""


Destination = (
    SlashRedirect | StartStatusRequest | QueueStatusRequest | Navigation | ToWorker | Asset
)


def destination(
    request: VisitorRequest, location: str, rest: str, moved_to: str | None = None
) -> Destination:
    """Return the destination of a request to the app at ``location``.

    ``rest`` is the path as the app sees it. ``moved_to`` is where the app is now, if it has moved
    away: pages are redirected there, and what open sessions ask for is answered.
    """
    query = f"?{request.query_string}" if request.query else ""
    if moved_to is not None and (not rest or request.bare or is_navigation(request, rest)):
        return SlashRedirect(f"{request.base}{moved_to.rstrip('/')}{rest or '/'}{query}")
    if not rest or request.bare:
        return SlashRedirect(f"{request.base}{location.rstrip('/')}/{query}")
    if rest == START_STATUS:
        return StartStatusRequest(request.parameter("instance") or "")
    if rest == QUEUE_STATUS:
        return QueueStatusRequest(request.parameter("place") or "")
    worker = named(rest, request.query) or (
        _worker_of_ticket(request) if rest.startswith(SOCKJS) else None
    )
    if worker is not None:
        return ToWorker(worker)
    return Navigation() if is_navigation(request, rest) else Asset()


def redirected(request: VisitorRequest, target: RedirectTarget) -> str:
    """Return the URL that a redirect leads to."""
    return request.base + target.url if target.url.startswith("/") else target.url


def _worker_of_ticket(request: VisitorRequest) -> WorkerId | None:
    """Return the worker named by a SockJS request's ticket cookie; the agent checks the ticket."""
    ref = next(
        (ref for ref in map(instance_of, passes.tickets(request.cookies)) if ref is not None), None
    )
    return (
        WorkerId(VersionId.parse(ref.version_id).version, ref.slot, 0)
        if ref is not None and "." in ref.version_id
        else None
    )


def is_navigation(request: VisitorRequest, rest: str) -> bool:
    """Return whether the request opens a page of the app."""
    return wants_page(request) and not rest.startswith(NO_PAGES)


def takes_over(request: VisitorRequest) -> bool:
    """Return whether the request is for a service worker that would control every app.

    A browser lets a service worker control its script's folder and everything below, so scripts in
    the topmost folder are refused. Only the browser itself can set the header.
    """
    return bool(request.header("service-worker")) and "/" not in request.path.lstrip("/")


def wants_page(request: VisitorRequest) -> bool:
    """Return whether the request is a GET that accepts HTML for a window or a frame.

    A browser that does not say what the answer is for counts as well.
    """
    fetched_for = request.header("sec-fetch-dest")
    return (
        request.method == "GET"
        and "text/html" in request.header("accept").lower()
        and (not fetched_for or fetched_for in _PAGE_DESTINATIONS)
    )
