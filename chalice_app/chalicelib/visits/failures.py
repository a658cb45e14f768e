"""Why a start failed, in words for a visitor. Pure."""

from collections.abc import Mapping
from typing import Any

from chalicelib.failures import Failure
from chalicelib.pages import StartFailure

_TITLES: Mapping[str, str] = {
    Failure.APP_START_FAILED: "The app stopped while it was starting",
    Failure.APP_INIT_TIMEOUT: "The app took too long to start",
    Failure.NO_MACHINE: "No machine was to be had",
    Failure.TASK_DIED: "The app's machine stopped",
    Failure.ARCHIVED: "The app was archived",
    Failure.HEARTBEAT_TIMEOUT: "No machine answered in time",
    Failure.TIMEOUT: "The start took too long",
}


_BEGIN_WITH_A_SENTENCE = frozenset({Failure.APP_START_FAILED, Failure.APP_INIT_TIMEOUT})
"""Errors reported by agents: the first paragraph of the cause is Sheen's, R's output follows."""

_WHAT_TO_DO = (
    "Try again in a moment. If it stays so, tell the app's author: the app's log says why."
)


def told(failure: Mapping[str, Any], sanitize: bool) -> StartFailure:
    """Return what the waiting page shows.

    With ``sanitize`` (the app's ``sanitize_errors``), R's output is left out.
    """
    error, cause = str(failure.get("error", "")), str(failure.get("cause", ""))
    title = _TITLES.get(error, "The app could not be started")
    if not sanitize:
        return {"title": title, "detail": cause}
    sentence = cause.split("\n\n", 1)[0] if error in _BEGIN_WITH_A_SENTENCE else ""
    return {"title": title, "detail": f"{sentence}\n{_WHAT_TO_DO}".strip()}
