"""Decide which of an instance's workers a new session gets. Pure; the agent calls this."""

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.configuration.worker_limits import WorkerLimits

_DIGITS = 9
"""Digits to round to. A load factor is a decimal fraction: 0.29 of 100 seats is exactly 29."""


@dataclass(frozen=True, slots=True)
class OnWorker:
    """The session goes to this worker."""

    worker: int


@dataclass(frozen=True, slots=True)
class OnNewWorker:
    """The session goes to a further worker, which is yet to be opened."""


@dataclass(frozen=True, slots=True)
class WorkersFull:
    """The session goes nowhere: no further worker may be opened, and every worker is full."""


Placement = OnWorker | OnNewWorker | WorkersFull


def spread(sessions: Mapping[int, int], limits: WorkerLimits) -> Placement:
    """Place one new session, given the session count of each worker that takes sessions.

    Open a further worker if the session would bring the share of taken seats above ``load_factor``
    and there are fewer than ``max_processes`` workers. Otherwise choose the worker with the fewest
    sessions.
    """
    seats = len(sessions) * limits.max_connections
    if len(sessions) < limits.max_processes and sum(sessions.values()) + 1 > round(
        limits.load_factor * seats, _DIGITS
    ):
        return OnNewWorker()
    with_room = [worker for worker, count in sessions.items() if count < limits.max_connections]
    return (
        OnWorker(min(with_room, key=lambda worker: (sessions[worker], worker)))
        if with_room
        else WorkersFull()
    )
