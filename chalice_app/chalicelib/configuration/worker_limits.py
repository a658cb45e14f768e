"""How the sessions of one instance are spread over its workers. Pure."""

from typing import NamedTuple

MOST_SEATS = 1000
"""Limit of seats on an instance: a seat is about 50 bytes of its row, which holds 400 KB."""


class WorkerLimits(NamedTuple):
    """How the sessions of one instance are spread over its R processes."""

    max_connections: int
    """Sessions that one worker takes."""
    load_factor: float
    """A further worker is opened if a new session would raise the share of taken seats above this.

    The share is over the workers that exist.
    """
    max_processes: int

    @property
    def seats(self) -> int:
        """Sessions that one instance takes."""
        return self.max_connections * self.max_processes

    @classmethod
    def of(
        cls,
        simple: int,
        utilization: tuple[int, float, int] | None,
        connections: int | None,
        load: float | None,
        processes: int | None,
    ) -> "WorkerLimits":
        """Return the limits that an app's settings define, whichever of them are given."""
        if utilization is not None:
            return cls(*utilization)
        if connections is None and load is None and processes is None:
            return cls(simple, 1.0, 1)
        return cls(
            connections if connections is not None else 50,
            load if load is not None else 0.05,
            processes if processes is not None else 3,
        )
