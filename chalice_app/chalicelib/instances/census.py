"""Count what runs: instances, apps and sessions. Pure."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from chalicelib.instances import spares, store
from chalicelib.instances.lease import live
from chalicelib.instances.model import Instance
from chalicelib.instances.state import InstanceState, is_overdue


class Census(NamedTuple):
    """The number of sessions, of apps with a living instance, and of living instances."""

    connections: int
    apps: int
    processes: int


def count(rows: Iterable[Instance], now: float) -> Census:
    """Count the sessions, apps and instances in the rows."""
    there = living(rows, now)
    return Census(sessions(there, now), len({row.app for row in there}), len(there))


def living(rows: Iterable[Instance], now: float) -> list[Instance]:
    """Return the rows of apps' living instances: starting, ready or draining."""
    return [
        row
        for row in rows
        if row.state != InstanceState.STOPPED
        and not is_overdue(row.state, float(row.claimed_at), now)
        and not spares.is_spare(row.version_id)
    ]


def spare(rows: Iterable[Instance], now: float) -> list[Instance]:
    """Return the rows of spare instances that are starting or waiting for an app."""
    return [
        row
        for row in rows
        if spares.is_spare(row.version_id)
        and (
            spares.is_free(row)
            or (
                row.state == InstanceState.STARTING
                and not is_overdue(row.state, float(row.claimed_at), now)
            )
        )
    ]


def sessions(rows: Iterable[Instance], now: float) -> int:
    """Return how many sessions have a seat on these instances."""
    return sum(len(live(store.seats_of(row), now)) for row in rows)


def app_state(rows: Iterable[Instance]) -> Literal["sleeping", "starting", "running"]:
    """Return the state of an app, given its living instances."""
    states = {row.state for row in rows}
    if InstanceState.READY in states:
        return "running"
    return "starting" if InstanceState.STARTING in states else "sleeping"
