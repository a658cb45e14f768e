"""Why a start failed, as a visitor is told. Pure."""

from collections.abc import Mapping
from typing import Any

from chalicelib.pages import StartFailure

_TITLES = {
    "AppStartFailed": "The app stopped while it was starting",
    "AppInitTimeout": "The app took too long to start",
    "TaskDied": "The app's machine stopped",
    "States.HeartbeatTimeout": "No machine answered in time",
    "States.Timeout": "The start took too long",
}


def told(failure: Mapping[str, Any], sanitize: bool) -> StartFailure:
    """Return what the waiting page shows. With ``sanitize`` (the app's ``sanitize_errors``) what R said is left out."""
    title = _TITLES.get(str(failure.get("error", "")), "The app could not be started")
    return {"title": title, "detail": "" if sanitize else str(failure.get("cause", ""))}
