"""Which of an instance's workers a new session gets. Pure; the agent asks."""

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.configuration.app_settings import WorkerLimits

_DIGITS = 9
"""A load factor is a decimal fraction: 0.29 of 100 seats are 29, not a little less."""


@dataclass(frozen=True, slots=True)
class On:
    """On this worker."""

    worker: int


@dataclass(frozen=True, slots=True)
class Open:
    """On a further worker, which is to be opened."""


@dataclass(frozen=True, slots=True)
class Full:
    """On none: each worker that there may be has all the sessions that it takes."""


Placement = On | Open | Full


def spread(sessions: Mapping[int, int], limits: WorkerLimits) -> Placement:
    """Decide for one new session, given the workers that take sessions, each with how many it has.

    A further worker is opened when the session would use more than ``load_factor`` of the seats of the workers that there are, as long
    as there are fewer than ``max_processes``; else it goes to the worker with the fewest.
    """
    seats = len(sessions) * limits.max_connections
    if len(sessions) < limits.max_processes and sum(sessions.values()) + 1 > round(limits.load_factor * seats, _DIGITS):
        return Open()
    with_room = [worker for worker, count in sessions.items() if count < limits.max_connections]
    return On(min(with_room, key=lambda worker: (sessions[worker], worker))) if with_room else Full()
