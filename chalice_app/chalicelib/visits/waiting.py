"""Answers to visitors who wait for a start or a seat, and to the waiting page's requests."""

from chalicelib import cookies, pages
from chalicelib.apps.directory import AppAtPath
from chalicelib.bodies.pages import COOKIE, page_cookie
from chalicelib.instances.model import Instance
from chalicelib.instances.state import InstanceState, is_overdue
from chalicelib.scheduler.queue.line import Standing, next_poll
from chalicelib.visits import overview
from chalicelib.visits.answer import Answer
from chalicelib.visits.failures import told
from chalicelib.visits.request import VisitorRequest
from chalicelib.visits.routing import QUEUE_STATUS, START_STATUS

PLACE_COOKIE = "sheen-place"
"""Carries the visitor's place in the queue from the waiting page to the page that is let in."""
_COOKIE_LIFE = 3600


def for_a_start(
    request: VisitorRequest, found: AppAtPath, instance: Instance, now: float
) -> Answer:
    """Return the page that follows a start."""
    status_url = f"{_public_path(request, found)}{START_STATUS}?instance={instance.instance_id}"
    elapsed = now - float(instance.claimed_at) if instance.state == InstanceState.STARTING else 0.0
    phase = next((phase for phase in pages.PHASES if phase == instance.phase), pages.PHASES[0])
    return Answer.page(
        pages.waiting(
            overview.title_of(found), instance.instance_id, status_url, phase=phase, elapsed=elapsed
        )
    )


def start_status(found: AppAtPath, instance_id: str, rows: list[Instance], now: float) -> Answer:
    """Return the progress of a start as JSON, or 410 if the instance is gone.

    On 410 the page reloads itself.
    """
    row = next((row for row in rows if row.instance_id == instance_id), None)
    if row is None or is_overdue(row.state, float(row.claimed_at), now):
        return Answer.json(410, {"message": "this instance is no more; load the page again"})
    failure = None
    if row.state == InstanceState.STOPPED:
        if not row.failure:
            return Answer.json(410, {"message": "this instance has stopped; load the page again"})
        failure = told(row.failure, found.settings.sanitize_errors)
    return Answer.json(
        200, {"state": row.state, "phase": row.phase, "message": "", "failure": failure}
    )


def for_a_seat(request: VisitorRequest, found: AppAtPath, place: str, standing: Standing) -> Answer:
    """Return the page of a full app, with the visitor's place in the queue."""
    url = f"{_public_path(request, found)}{QUEUE_STATUS}?place={place}"
    page = Answer.page(
        pages.users(overview.title_of(found), queue=pages.InQueue(url, standing.before))
    )
    cookie = (
        f"{PLACE_COOKIE}={place}; Path={_public_path(request, found)}/; Max-Age={_COOKIE_LIFE}; "
        f"HttpOnly; {_site(request)}"
    )
    return page._replace(headers=(*page.headers, ("set-cookie", cookie)))


def queue_status(standing: Standing | None) -> Answer:
    """Return the standing of a place in the queue as JSON; with None, the page may enter."""
    if standing is None:
        return Answer.json(200, {"state": "enter", "before": 0, "again_in": next_poll(0)})
    return Answer.json(
        200, {"state": "wait", "before": standing.before, "again_in": next_poll(standing.before)}
    )


def place_of(request: VisitorRequest) -> str | None:
    """Return the visitor's place in the queue, read from the cookie."""
    return next(iter(cookies.values(request.cookies, PLACE_COOKIE)), None)


def without_place(request: VisitorRequest, found: AppAtPath, answer: Answer) -> Answer:
    """Return the answer with the cookie of the place in the queue deleted.

    The visitor has a seat now, and the next page must not refer to the queue.
    """
    cookie = (
        f"{PLACE_COOKIE}=; Path={_public_path(request, found)}/; Max-Age=0; HttpOnly; "
        f"{_site(request)}"
    )
    return answer._replace(headers=(*answer.headers, ("set-cookie", cookie)))


def without_page(request: VisitorRequest, found: AppAtPath, answer: Answer) -> Answer:
    """Return the answer with the cookie that names a kept page deleted, if the visitor sent one.

    An answer that sets this cookie itself is returned unchanged.
    """
    if f"{COOKIE}=" not in request.cookies or any(
        value.startswith(f"{COOKIE}=") for _, value in answer.headers
    ):
        return answer
    cookie = page_cookie(
        "", "", _public_path(request, found), secure=request.header("x-forwarded-proto") == "https"
    )
    return answer._replace(headers=(*answer.headers, ("set-cookie", cookie)))


def _site(request: VisitorRequest) -> str:
    return cookies.site(secure=request.header("x-forwarded-proto") == "https")


def _public_path(request: VisitorRequest, found: AppAtPath) -> str:
    return request.base + found.location.path.rstrip("/")
