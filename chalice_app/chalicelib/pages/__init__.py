"""The pages that people see: pure functions from values to a whole HTML page.

A page loads nothing else: styles, script and icon are inside it. Every value is escaped where it is
put in. Values that a script needs are in `data-` attributes. So style and script are the same bytes
for every visitor, and the page's Content-Security-Policy names them by hash.

>>> page = not_found("/nowhere", "/")
>>> page.status
404
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypedDict, get_args

from chalicelib.pages.apps import AppEntry, SignInLinks, apps_index
from chalicelib.pages.handlebars import Values
from chalicelib.pages.markup import safe_url
from chalicelib.pages.page import Draft, Page, make
from chalicelib.pages.replaced import Templates, faults
from chalicelib.pages.signing import Form, not_allowed, sign_in, sign_out, signed_out

__all__ = [
    "PHASES",
    "AppEntry",
    "Draft",
    "FolderLine",
    "Form",
    "InQueue",
    "Page",
    "Phase",
    "QueueStatus",
    "SignInLinks",
    "StartFailure",
    "StartStatus",
    "Templates",
    "about",
    "apps_index",
    "busy",
    "closed",
    "error",
    "faults",
    "folder",
    "forbidden",
    "make",
    "no_machine",
    "not_allowed",
    "not_found",
    "not_published",
    "nothing_here",
    "sign_in",
    "sign_out",
    "signed_out",
    "users",
    "waiting",
]

Phase = Literal["machine", "R", "files", "app"]
"""The steps of a start, in order."""

PHASES: tuple[Phase, ...] = get_args(Phase)

_STEP_LABELS: Mapping[Phase, str] = {"machine": "Machine", "R": "R", "files": "Files", "app": "App"}
_STEP_ABOUT: Mapping[Phase, str] = {
    "machine": "Reserved for this app alone",
    "R": "Starts on that machine",
    "files": "Copied to that machine",
    "app": "Loads its packages and data",
}


class StartFailure(TypedDict):
    """Why a start failed.

    `detail` is what R said, or "" if it must not be shown (sanitize_errors).
    """

    title: str
    detail: str


class StartStatus(TypedDict):
    """The JSON that the waiting page polls.

    If `message` is "", the page says what the phase is about.
    """

    state: Literal["STARTING", "READY", "DRAINING", "STOPPED"]
    phase: Phase
    message: str
    failure: StartFailure | None


def waiting(
    app_name: str,
    instance_id: str,
    status_url: str,
    *,
    phase: Phase = "machine",
    elapsed: float = 0.0,
    note: str = "",
) -> Page:
    """Return the page that follows a start and goes into the app by itself.

    Its status is 202, with Retry-After, and it is never stored. The status is not 503, because a
    start is no error and must not count as one in metrics and alarms.

    `status_url` answers `StartStatus`. It is relative to the page's URL, or a path on the same host
    (`/hello/__sheen__/start?instance=…`). The page reloads itself on READY, and on DRAINING or
    STOPPED without a failure. It also reloads on the answers 401, 403, 404, 410 and a redirect. It
    retries after 5xx, 429 and network errors.

    `elapsed` is how many seconds ago the start began, since a second visitor comes later. `note` is
    one more sentence, for example about capacity.
    """
    now = PHASES.index(phase)
    values: Values = {
        "app_name": app_name,
        "instance_id": instance_id,
        "status_url": safe_url(status_url),
        "phase": phase,
        "elapsed": max(0, round(elapsed)),
        "note": note,
        "steps": [
            {
                "step": step,
                "label": _STEP_LABELS[step],
                "about": _STEP_ABOUT[step],
                "state": "done" if at < now else "now" if at == now else "todo",
                "said": "done: " if at < now else "now: " if at == now else "then: ",
            }
            for at, step in enumerate(PHASES)
        ],
    }
    draft = Draft("waiting", values, ("waiting",), "waiting-script")
    return make(202, draft, {"retry-after": "3"})


def busy(app_name: str, status_url: str, cookie: str, *, elapsed: float = 0.0) -> Page:
    """Return the page of an app whose R has not made the visitor's page yet.

    It goes into the app by itself. Its status is 202, with Retry-After, and it is never stored.

    `status_url` answers `{"state": "wait" | "ready"}`. The page reloads itself on "ready", and on
    401, 403, 404, 410 and a redirect. It retries after 5xx, 429 and network errors. It sets
    `cookie` before it asks for a page that is ready. `elapsed` is how many seconds the visitor has
    waited.
    """
    values: Values = {
        "app_name": app_name,
        "status_url": safe_url(status_url),
        "cookie": cookie,
        "elapsed": max(0, round(elapsed)),
    }
    return make(202, Draft("busy", values, ("busy",), "busy-script"), {"retry-after": "5"})


def not_found(path: str, home_url: str, sign_in_url: str | None = None) -> Page:
    """Return a 404: no app is at `path`, or none that this visitor may know of.

    `home_url` is the list of apps. `sign_in_url` is given if nobody is signed in.
    """
    return _error_page(
        404,
        title="There is no app here",
        message="Nothing that you may see is published at this address. If somebody sent you "
        "here, ask them.",
        path=path[:300],
        home_url=home_url,
        sign_in_url=sign_in_url,
    )


def error(
    title: str,
    message: str,
    detail: str | None = None,
    retry_url: str | None = None,
    *,
    status: int = 500,
) -> Page:
    """Return the page of a failure.

    `title` says in a few words what failed, `message` what to do, and `detail` what R or the system
    said. `detail` is shown as it is; the caller sanitises it. If `retry_url` is given, a "Try
    again" button opens it.
    """
    return _error_page(status, title=title, message=message, detail=detail, retry_url=retry_url)


class InQueue(NamedTuple):
    """A visitor's place in the queue for a full app.

    ``url`` answers :class:`QueueStatus`. ``before`` visitors come first.
    """

    url: str
    before: int


class QueueStatus(TypedDict):
    """The JSON that the page of a full app polls.

    On ``enter`` the page reloads itself. The visitor is then let in, or queues again.
    """

    state: Literal["wait", "enter"]
    before: int
    again_in: float


def users(app_name: str, retry_after: int = 15, queue: InQueue | None = None) -> Page:
    """Return a 503: all seats of the app are taken.

    If the visitor has a place in the ``queue``, the page says where it stands and goes in by itself
    when it is its turn. Otherwise the page tries again by itself after `retry_after` seconds, or up
    to a quarter later, so that not all visitors come at once.
    """
    seconds = max(1, retry_after)
    values: Values = {
        "app_name": app_name,
        "title": "All seats are taken",
        "message": f"{app_name} is full just now. As soon as somebody leaves, there is room for you.",  # noqa: E501
        "retry_after": seconds,
        "queue": queue is not None,
        "queue_url": "" if queue is None else safe_url(queue.url),
        "before": 0 if queue is None else queue.before,
        "standing": "" if queue is None else _standing(queue.before),
    }
    names = ("error-503-users",) if queue is None else ("queue", "error-503-users")
    draft = Draft("error-503-users", values, names, "users-script")
    return make(503, draft, {"retry-after": str(seconds)})


def about(app_name: str) -> Page:
    """Return the page for a crawler, which says what is here without starting it."""
    message = "An interactive app. It starts when somebody opens this address in a browser."
    return _error_page(200, title=app_name, message=message)


def no_machine(app_name: str, retry_after: int = 30) -> Page:
    """Return a 503: no instance of the app runs, and the deployment may start no further one.

    The page tries again by itself.
    """
    values: Values = {
        "app_name": app_name,
        "title": "All machines are taken",
        "message": (
            f"{app_name} is asleep, and every machine that may run here is in use. It opens "
            "here as soon as one is free."
        ),
        "retry_after": retry_after,
        "queue": False,
        "queue_url": "",
        "before": 0,
        "standing": "",
    }
    draft = Draft("error-503-users", values, ("error-503-users",), "users-script")
    return make(503, draft, {"retry-after": str(retry_after)})


def _standing(before: int) -> str:
    """Return a visitor's standing in words. The page's script has the same words."""
    if before == 0:
        return "You are next."
    return "One visitor is before you." if before == 1 else f"{before} visitors are before you."


def forbidden(path: str) -> Page:
    """Return a 403: nobody may see what is at `path`."""
    return _error_page(
        403,
        title="Forbidden",
        message="Nobody may see what is at this address.",
        path=path[:300],
    )


def closed(path: str) -> Page:
    """Return a 403: only people who are signed in may see what is at `path`, and nobody can be."""
    return _error_page(
        403,
        title="Only for people who are signed in",
        message="A login is needed here, and nobody can sign in yet. So this address is closed.",
        path=path[:300],
    )


def nothing_here(path: str) -> Page:
    """Return a 404 of a site that a configuration describes."""
    return _error_page(
        404,
        title="Page not found",
        message="Nothing is at this address. If somebody sent you here, ask them.",
        path=path[:300],
    )


def not_published(path: str) -> Page:
    """Return a 404 of an app that a configuration names, and that nobody has published yet."""
    return _error_page(
        404,
        title="This app is not published yet",
        message="The configuration has an app at this address, but nothing is published here.",
        path=path[:300],
    )


class FolderLine(NamedTuple):
    """One line of a folder's page: what to show, and the URL relative to the folder."""

    name: str
    url: str


def folder(title: str, dirs: Sequence[FolderLine], files: Sequence[FolderLine]) -> Page:
    """Return the page of a folder (`directory_index`)."""
    values: Values = {
        "title": title,
        "dirs": [_linked(entry) for entry in dirs],
        "files": [_linked(entry) for entry in files],
        "apps": [],
    }
    return make(200, Draft("directoryIndex", values, ("directoryIndex",)))


def _linked(entry: FolderLine) -> Values:
    return {"name": entry.name, "url": safe_url(entry.url)}


def _error_page(
    status: int,
    *,
    title: str,
    message: str,
    detail: str | None = None,
    path: str = "",
    retry_url: str | None = None,
    home_url: str | None = None,
    sign_in_url: str | None = None,
) -> Page:
    """Return a page that an operator may replace by `error-<status>.html` or `error.html`."""
    values: Values = {
        "status": status,
        "title": title,
        "message": message,
        "detail": detail,
        "console": None,
        "path": path,
        "retry_url": None if retry_url is None else safe_url(retry_url),
        "home_url": None if home_url is None else safe_url(home_url),
        "sign_in_url": None if sign_in_url is None else safe_url(sign_in_url),
    }
    return make(status, Draft("error", values, (f"error-{status}",) if status >= 400 else ()))
