"""The pages that people see: pure functions from values to a whole HTML page.

A page loads nothing else: styles, script and icon are inside it. Every value is escaped where it is
put in. Values that a script needs are in `data-` attributes. So style and script are the same bytes
for every visitor, and the page's Content-Security-Policy names them by hash.

>>> page = not_found("/nowhere", "/")
>>> page.status
404
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypedDict, get_args

from chalicelib.pages.lookup import find
from chalicelib.pages.markup import Values, safe_url

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


class Page(NamedTuple):
    """An answer: `html` goes out as UTF-8 with `headers`.

    The headers are content-type, cache-control (no-store), content-security-policy,
    referrer-policy, x-content-type-options, x-robots-tag, and retry-after where it applies.
    """

    status: int
    headers: Mapping[str, str]
    html: str


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


class AppEntry(NamedTuple):
    """One app in the list of apps. `url` is what to open, `location` is what to show."""

    name: str
    location: str
    url: str
    state: Literal["sleeping", "starting", "running"]


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
    return _page(202, ("waiting.html",), values, {"retry-after": "3"})


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
    return _page(202, ("busy.html",), values, {"retry-after": "5"})


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
    return _page(503, ("error-503-users.html",), values, {"retry-after": str(seconds)})


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
    return _page(503, ("error-503-users.html",), values, {"retry-after": str(retry_after)})


def _standing(before: int) -> str:
    """Return a visitor's standing in words. The page's script has the same words."""
    if before == 0:
        return "You are next."
    return "One visitor is before you." if before == 1 else f"{before} visitors are before you."


FEW = 8
"""The number of apps up to which the list needs no search."""
_LONGEST_QUERY = 100


class Signing(NamedTuple):
    """Where a page lets its visitor sign in and out, and who is signed in (empty: nobody)."""

    sign_in_url: str
    sign_out_url: str
    user: str = ""


def apps_index(apps: Sequence[AppEntry], query: str = "", signing: Signing | None = None) -> Page:
    """Return the list of apps at `/`, by folder and name: those that have every word of `query`.

    Without any app, the page says how to publish the first one.
    """
    query = query[:_LONGEST_QUERY].strip()
    found = [app for app in apps if _has(app, query)]
    folders: dict[str, list[AppEntry]] = {}
    for app in sorted(found, key=lambda app: (app.name.casefold(), app.location)):
        folders.setdefault(app.location.rpartition("/")[0].strip("/"), []).append(app)
    values: Values = {
        "user": signing.user if signing else "",
        "sign_in_url": safe_url(signing.sign_in_url) if signing else "",
        "sign_out_url": safe_url(signing.sign_out_url) if signing else "",
        "apps_shown": bool(apps),
        "count": f"{len(found)} of {_how_many(apps)}" if query else _how_many(apps),
        "search": len(apps) > FEW or bool(query),
        "query": query,
        "nothing": not found,
        "many": len(apps) > 3 * FEW,
        "folders": [
            {
                "folder": folder.replace("/", " / "),
                "named": bool(folder),
                "in_it": _how_many(inside),
                "apps": [_listed(app) for app in inside],
            }
            for folder, inside in sorted(folders.items(), key=lambda item: item[0].casefold())
        ],
    }
    return _page(200, ("apps.html",), values)


def _has(app: AppEntry, query: str) -> bool:
    text = f"{app.name} {app.location}".casefold()
    return all(word in text for word in query.casefold().split())


def _how_many(apps: Sequence[AppEntry]) -> str:
    return f"{len(apps)} app" + ("s" if len(apps) != 1 else "")


def _listed(app: AppEntry) -> Values:
    return {
        "name": app.name,
        "location": app.location,
        "url": safe_url(app.url),
        "state": app.state,
        "asleep": app.state == "sleeping",
        "state_text": _STATES[app.state],
        # An app always has the same one of eight tints, so that people recognise it by its colour.
        "tint": zlib.crc32(app.location.encode("utf-8", "replace")) % 8,
    }


_STATES = {"sleeping": "Sleeping", "starting": "Waking up", "running": "Awake"}


_OWN_WINDOW = {
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
"""Headers of pages with a form that a click must not be stolen from.

No page may show them in a frame, and none that opened them may look into their window.
"""


class Form(NamedTuple):
    """What a form sends beside what is typed: where to, and a token that only its page knows."""

    action: str
    token: str


def sign_in(
    form: Form, then: str, *, name: str = "", problem: str = "", user: str = "", status: int = 200
) -> Page:
    """Return the page with the form that asks for name and password.

    `then` is where to go on. `name` was typed before, and `problem` says what was wrong with it.
    `user` is who is signed in, if anybody is.
    """
    values: Values = {
        "action": safe_url(form.action),
        "token": form.token,
        "next": then,
        "name": name[:128],
        "problem": problem,
        "user": user,
    }
    return _page(status, ("sign-in.html",), values, _OWN_WINDOW)


def sign_out(form: Form, user: str) -> Page:
    """Return the page that asks whether to sign out."""
    values: Values = {"action": safe_url(form.action), "token": form.token, "user": user}
    return _page(200, ("sign-out.html",), values, _OWN_WINDOW)


def signed_out(message: str, sign_in_url: str, home_url: str) -> Page:
    """Return the page after signing out; it goes nowhere by itself."""
    values: Values = {
        "message": message,
        "sign_in_url": safe_url(sign_in_url),
        "home_url": safe_url(home_url),
    }
    return _page(200, ("signed-out.html",), values, _OWN_WINDOW)


def not_allowed(title: str, message: str, user: str, sign_in_url: str) -> Page:
    """Return a 403: `user`, who is signed in, may not see what is here."""
    values: Values = {
        "title": title,
        "message": message,
        "user": user,
        "sign_in_url": safe_url(sign_in_url),
    }
    return _page(403, ("error-403.html", "not-allowed.html"), values, _OWN_WINDOW)


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
    """Return a page of `error-<status>.html`, or else of `error.html`.

    Both take the same values, so one can replace the other.
    """
    values: Values = {
        "status": status,
        "title": title,
        "message": message,
        "detail": detail,
        "path": path,
        "retry_url": None if retry_url is None else safe_url(retry_url),
        "home_url": None if home_url is None else safe_url(home_url),
        "sign_in_url": None if sign_in_url is None else safe_url(sign_in_url),
    }
    return _page(status, (f"error-{status}.html", "error.html"), values)


def _page(
    status: int, names: tuple[str, ...], values: Values, headers: Mapping[str, str] | None = None
) -> Page:
    template, policy = find(*names)
    common = {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
        "content-security-policy": policy,
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
        "x-robots-tag": "noindex, nofollow",
    }
    return Page(status, {**common, **(headers or {})}, template.fill(values))
