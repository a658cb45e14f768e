"""What runs now: for the health check and the list of apps. The counting is pure."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from chalicelib.apps import store as apps
from chalicelib.apps.locations import ROOT
from chalicelib.instances import spares
from chalicelib.instances import store as instances
from chalicelib.instances.model import Instance
from chalicelib.instances.state import InstanceState, is_overdue
from chalicelib.pages import AppEntry, apps_index
from chalicelib.sessions.lease import live
from chalicelib.visits import admission
from chalicelib.visits.answer import Answer


class Census(NamedTuple):
    """How many sessions, apps with a living instance, and living instances there are."""

    connections: int
    apps: int
    processes: int


def count(rows: Iterable[Instance], now: float) -> Census:
    """Count what the rows say."""
    there = living(rows, now)
    return Census(sessions(there, now), len({row.location for row in there}), len(there))


def living(rows: Iterable[Instance], now: float) -> list[Instance]:
    """Return the rows of apps' instances that are there: starting, ready or draining."""
    return [
        row
        for row in rows
        if row.state != InstanceState.STOPPED
        and not is_overdue(row.state, float(row.claimed_at), now)
        and not spares.is_spare(row.version_id)
    ]


def spare(rows: Iterable[Instance], now: float) -> list[Instance]:
    """Return the rows of spare instances that are starting, or wait for an app."""
    return [
        row
        for row in rows
        if spares.is_spare(row.version_id)
        and (spares.is_free(row) or (row.state == InstanceState.STARTING and not is_overdue(row.state, float(row.claimed_at), now)))
    ]


def sessions(rows: Iterable[Instance], now: float) -> int:
    """Return how many sessions have a seat on these instances."""
    return sum(len(live(instances.seats_of(row), now)) for row in rows)


def app_state(rows: Iterable[Instance]) -> Literal["sleeping", "starting", "running"]:
    """Return what an app does whose living instances these are."""
    states = {row.state for row in rows}
    if InstanceState.READY in states:
        return "running"
    return "starting" if InstanceState.STARTING in states else "sleeping"


def health_check(now: float) -> Answer:
    """Answer ``/__health-check__``."""
    census = count(instances.everywhere(), now)
    lines = f"active-connections: {census.connections}\nactive-apps: {census.apps}\nactive-processes: {census.processes}\n"
    return Answer.text(200, lines)


def index(base: str, now: float) -> Answer:
    """Answer ``/`` where no app is: the list of apps that have a version and are for everybody."""
    rows = living(instances.everywhere(), now)
    entries = []
    for app in apps.everywhere():
        if app.active_version is None or not admission.is_listed(app):
            continue
        own = [row for row in rows if row.location == app.location]
        url = f"{base}{app.location}/" if app.location != ROOT else f"{base}/"
        entries.append(AppEntry(app_name(app.location), app.location, url, app_state(own), sessions(own, now)))
    return Answer.page(apps_index(entries))


def app_name(location: str) -> str:
    """What people call the app at a location."""
    return location.rsplit("/", 1)[-1] or "The app"
