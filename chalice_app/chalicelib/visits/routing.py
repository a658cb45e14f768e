"""Where a request goes, by its path, query and headers. Pure."""

from typing import NamedTuple

from chalicelib.instances.model import VersionId
from chalicelib.instances.worker_id import WorkerId, named
from chalicelib.sessions import passes
from chalicelib.sessions.tickets import instance_of
from chalicelib.visits.request import VisitorRequest

HEALTH_CHECK = "/__health-check__"
START_STATUS = "/__sheen__/start"
QUEUE_STATUS = "/__sheen__/queue"
SOCKJS = "/__sockjs__/"

NO_PAGES = ("/__sockjs__/", "/__sheen__/", "/session/")
_PAGE_DESTINATIONS = frozenset({"document", "iframe", "frame", "embed", "object"})


class Redirect(NamedTuple):
    """The location without its slash: go to the one with it, so that an app's relative URLs work."""

    to: str


class StartStatus(NamedTuple):
    """The waiting page asks how far a start is."""

    instance_id: str


class QueueStatus(NamedTuple):
    """The page of a full app asks whether it may go in."""

    place: str


class Navigation(NamedTuple):
    """A page of the app, which needs a seat."""


class ToWorker(NamedTuple):
    """A request for one R process."""

    worker: WorkerId


class Asset(NamedTuple):
    """A request that any ready instance of the version can answer."""


Destination = Redirect | StartStatus | QueueStatus | Navigation | ToWorker | Asset


def destination(request: VisitorRequest, location: str, rest: str) -> Destination:
    """Decide what a request is that belongs to the app at ``location``; ``rest`` is the path as the app sees it."""
    if not rest or request.bare:
        query = f"?{request.query_string}" if request.query else ""
        return Redirect(f"{request.base}{location.rstrip('/')}/{query}")
    if rest == START_STATUS:
        return StartStatus(request.parameter("instance") or "")
    if rest == QUEUE_STATUS:
        return QueueStatus(request.parameter("place") or "")
    worker = named(rest, request.query) or (_worker_of_ticket(request) if rest.startswith(SOCKJS) else None)
    if worker is not None:
        return ToWorker(worker)
    return Navigation() if is_navigation(request, rest) else Asset()


def _worker_of_ticket(request: VisitorRequest) -> WorkerId | None:
    """Return where the page came from whose ticket cookie a SockJS request has. The agent checks the ticket."""
    cookies = "; ".join(value for name, value in request.headers if name == "cookie")
    ref = next((ref for ref in map(instance_of, passes.tickets(cookies)) if ref is not None), None)
    return WorkerId(VersionId.parse(ref.version_id).version, ref.slot, 0) if ref is not None and "." in ref.version_id else None


def is_navigation(request: VisitorRequest, rest: str) -> bool:
    """Whether somebody opens a page of the app."""
    return wants_page(request) and not rest.startswith(NO_PAGES)


def takes_over(request: VisitorRequest) -> bool:
    """Whether it asks for a service worker's script that would answer for every app: one in the topmost folder.

    A browser lets a service worker answer for all that is in its script's folder and below. Only a browser itself sets the header.
    """
    return bool(request.header("service-worker")) and "/" not in request.path.lstrip("/")


def wants_page(request: VisitorRequest) -> bool:
    """Whether it is a GET that wants HTML, and that the browser says is for a window or a frame, if it says so."""
    fetched_for = request.header("sec-fetch-dest")
    return (
        request.method == "GET"
        and "text/html" in request.header("accept").lower()
        and (not fetched_for or fetched_for in _PAGE_DESTINATIONS)
    )
