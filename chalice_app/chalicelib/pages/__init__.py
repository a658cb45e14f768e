"""The pages that people see: pure functions from values to a whole HTML page.

A page asks for nothing but itself: styles, script and icon are inside it. Every value is escaped where it is put in,
and values that a script needs are in `data-` attributes, so style and script are the same bytes for every visitor and
the page's Content-Security-Policy names them by hash.

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
"""The steps of a start, in their order."""

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

    They are content-type, cache-control (no-store), content-security-policy, and retry-after where it applies.
    """

    status: int
    headers: Mapping[str, str]
    html: str


class StartFailure(TypedDict):
    """Why a start failed. `detail` is what R said, "" if it is not to be shown (sanitize_errors)."""

    title: str
    detail: str


class StartStatus(TypedDict):
    """The JSON that the waiting page polls. `message` may be "": the page then says what the phase is about."""

    state: Literal["STARTING", "READY", "DRAINING", "STOPPED"]
    phase: Phase
    message: str
    failure: StartFailure | None


class AppEntry(NamedTuple):
    """One app in the list of apps. `url` is what to open, `location` what to show."""

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
    """The page that follows a start and goes into the app by itself (202, Retry-After, never stored).

    `status_url` answers `StartStatus`: relative to the page's URL, or a path on the same host
    (`/hello/__sheen__/start?instance=…`). READY, and equally DRAINING or STOPPED without a failure, make the page load
    itself again; so do the answers 401, 403, 404, 410 and a redirect. 5xx, 429 and network errors are retried.
    `elapsed` is how many seconds ago the start began: a second visitor comes later. `note` is one more sentence, for
    example about capacity. 202 and not 503: the start is no error, and must not count as one in metrics and alarms.
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
    """The page of an app whose R has not made the visitor's page yet; it goes in by itself (202, Retry-After, never stored).

    `status_url` answers `{"state": "wait" | "ready"}`. When it is ready, and equally after 401, 403, 404, 410 and a
    redirect, the page loads itself again; 5xx, 429 and network errors are retried. `cookie` is set before a page that is
    ready is asked for. `elapsed` is how many seconds the visitor has waited.
    """
    values: Values = {"app_name": app_name, "status_url": safe_url(status_url), "cookie": cookie, "elapsed": max(0, round(elapsed))}
    return _page(202, ("busy.html",), values, {"retry-after": "5"})


def not_found(path: str, home_url: str) -> Page:
    """404: there is no app at `path`, or none that this visitor may know of. `home_url` is the list of apps."""
    return _error_page(
        404,
        title="There is no app here",
        message="Nothing that you may see is published at this address. If somebody sent you here, ask them.",
        path=path[:300],
        home_url=home_url,
    )


def error(
    title: str,
    message: str,
    detail: str | None = None,
    retry_url: str | None = None,
    *,
    status: int = 500,
) -> Page:
    """Something failed: `title` says what in a few words, `message` what to do, `detail` what R or the system said.

    `detail` is shown as it is: sanitising is the caller's. With `retry_url` a "Try again" button opens it.
    """
    return _error_page(status, title=title, message=message, detail=detail, retry_url=retry_url)


class InQueue(NamedTuple):
    """A visitor's place in the queue before a full app. ``url`` answers :class:`QueueStatus`; ``before`` others come first."""

    url: str
    before: int


class QueueStatus(TypedDict):
    """The JSON that the page of a full app polls. ``enter``: the page loads itself again, and is let in or queues anew."""

    state: Literal["wait", "enter"]
    before: int
    again_in: float


def users(app_name: str, retry_after: int = 15, queue: InQueue | None = None) -> Page:
    """503: all seats of the app are taken.

    With a place in the ``queue`` the page says where it stands and goes in by itself when it is its turn. Without, it tries again by itself
    after `retry_after` seconds, or up to a quarter later, so that not all come at once.
    """
    seconds = max(1, retry_after)
    values: Values = {
        "app_name": app_name,
        "title": "All seats are taken",
        "message": f"{app_name} is full just now. As soon as somebody leaves, there is room for you.",
        "retry_after": seconds,
        "queue": queue is not None,
        "queue_url": "" if queue is None else safe_url(queue.url),
        "before": 0 if queue is None else queue.before,
        "standing": "" if queue is None else _standing(queue.before),
    }
    return _page(503, ("error-503-users.html",), values, {"retry-after": str(seconds)})


def about(app_name: str) -> Page:
    """What a crawler gets: what is here, without starting it."""
    message = "An interactive app. It starts when somebody opens this address in a browser."
    return _error_page(200, title=app_name, message=message)


def no_machine(app_name: str, retry_after: int = 30) -> Page:
    """503: nothing of the app runs, and as many instances run as the deployment may have. The page tries again by itself."""
    values: Values = {
        "app_name": app_name,
        "title": "All machines are taken",
        "message": f"{app_name} is asleep, and every machine that may run here is in use. It opens here as soon as one is free.",
        "retry_after": retry_after,
        "queue": False,
        "queue_url": "",
        "before": 0,
        "standing": "",
    }
    return _page(503, ("error-503-users.html",), values, {"retry-after": str(retry_after)})


def _standing(before: int) -> str:
    """Where a visitor stands, in words; the page's script has the same."""
    if before == 0:
        return "You are next."
    return "One visitor is before you." if before == 1 else f"{before} visitors are before you."


FEW = 8
"""Apps that are found without a search."""
_LONGEST_QUERY = 100


def apps_index(apps: Sequence[AppEntry], query: str = "") -> Page:
    """The list of apps at `/`, by folder and name: those that have every word of `query`. Without apps, how to publish the first one."""
    query = query[:_LONGEST_QUERY].strip()
    found = [app for app in apps if _has(app, query)]
    folders: dict[str, list[AppEntry]] = {}
    for app in sorted(found, key=lambda app: (app.name.casefold(), app.location)):
        folders.setdefault(app.location.rpartition("/")[0].strip("/"), []).append(app)
    values: Values = {
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
        # Always the same one of eight tints, so that an app is found again by its colour.
        "tint": zlib.crc32(app.location.encode("utf-8", "replace")) % 8,
    }


_STATES = {"sleeping": "Sleeping", "starting": "Waking up", "running": "Awake"}


def _error_page(
    status: int,
    *,
    title: str,
    message: str,
    detail: str | None = None,
    path: str = "",
    retry_url: str | None = None,
    home_url: str | None = None,
) -> Page:
    """A page of `error-<status>.html` or else `error.html`: the same values, so one can stand in for another."""
    values: Values = {
        "status": status,
        "title": title,
        "message": message,
        "detail": detail,
        "path": path,
        "retry_url": None if retry_url is None else safe_url(retry_url),
        "home_url": None if home_url is None else safe_url(home_url),
    }
    return _page(status, (f"error-{status}.html", "error.html"), values)


def _page(status: int, names: tuple[str, ...], values: Values, headers: Mapping[str, str] | None = None) -> Page:
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
