"""``sheen logs /PATH``: show the output of an app's R processes."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from chalicelib.apps import locations
from chalicelib.apps import store as apps
from chalicelib.aws.clients import client
from chalicelib.clock import Clock, wall_clock
from chalicelib.configuration.deployment import Settings
from chalicelib.errors import Malformed, NotFound
from chalicelib.instances.log_streams import LogStream, beginning
from sheen.console import progress, say

POLL = 1.0
"""Seconds between two looks of ``--follow``."""
LATE_MS = 60_000
"""Milliseconds by which a line may come in late.

Each worker collects and sends its lines on its own.
"""
SKEW_MS = 300_000
"""Milliseconds by which the local clock may be wrong.

AWS rejects a call signed with a larger error.
"""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


class BadSince(Malformed):
    """The value of ``--since`` is not a span of time."""


class NoLogs(NotFound):
    """The deployment names no log group."""


def show_logs(settings: Settings, location: str, *, follow: bool, version: str, since: str) -> None:
    """Print the lines of the last ``since`` (``10m``), of one version if it is given.

    With ``follow``, go on until interrupted. Raise :class:`chalicelib.apps.errors.NoSuchApp`,
    :class:`BadSince` or :class:`NoLogs`.
    """
    if not settings.log_group:
        raise NoLogs("this deployment names no log group: set SHEEN_LOG_GROUP")
    start_ms = max(0, int((time.time() - seconds(since)) * 1000))
    location = locations.check(location)
    app = apps.at(location)
    streams = beginning(app.app_id, version)
    follower = Follower(settings.log_group, streams, start_ms)
    if not follower.look():
        progress(
            f"{location}{f' version {version}' if version else ''} has said nothing in "
            f"the last {since}; --since 7d looks further back"
        )
    while follow:
        time.sleep(POLL)
        follower.look()


def seconds(span: str) -> float:
    """Return the seconds of a span such as ``10m``: a number and one of s, m, h, d, w.

    Raise :class:`BadSince` for anything else.
    """
    found = re.fullmatch(r"(\d{1,9})([smhdw])", span)
    if found is None:
        raise BadSince(
            f'--since is "{span}"; it is a number and one of s, m, h, d, w, as in 10m or 2d'
        )
    return float(int(found[1]) * _UNITS[found[2]])


def events(group: str, streams: str, start_ms: int) -> Iterator[dict[str, Any]]:
    """Yield the log's events from ``start_ms`` on, in order of time.

    Only streams whose names begin with ``streams`` count.
    """
    pages = client("logs").get_paginator("filter_log_events")
    for page in pages.paginate(logGroupName=group, logStreamNamePrefix=streams, startTime=start_ms):
        yield from page["events"]


def line(event: dict[str, Any]) -> str:
    """Return an event as it is shown: time, version, instance and worker, message."""
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[
        :-3
    ]
    stream = LogStream.parse(event["logStreamName"])
    worker = stream.worker_id.removeprefix(f"{stream.version}.")
    return f"{at}Z {stream.version} {stream.instance_id[:8]}/{worker} {event['message']}"


class Follower:
    """Prints each event once, however often it looks. ``clock`` is in seconds since 1970."""

    def __init__(self, group: str, streams: str, start_ms: int, clock: Clock = wall_clock) -> None:
        self._group = group
        self._streams = streams
        self._clock = clock
        self._start_ms = start_ms
        self._seen: dict[str, int] = {}

    def look(self) -> int:
        """Print the new lines; return how many there were.

        The next look begins at the earliest time for which lines may still come in.
        """
        count = 0
        newest_ms = int(self._clock() * 1000) - SKEW_MS
        for event in events(self._group, self._streams, self._start_ms):
            event_id, at_ms = event["eventId"], event["timestamp"]
            if event_id not in self._seen:
                say(line(event))
                count += 1
                self._seen[event_id] = at_ms
            newest_ms = max(newest_ms, at_ms)
        self._start_ms = max(self._start_ms, newest_ms - LATE_MS)
        self._seen = {
            event_id: at_ms for event_id, at_ms in self._seen.items() if at_ms >= self._start_ms
        }
        return count
