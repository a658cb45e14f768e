"""The life of an instance: STARTING → READY → DRAINING → STOPPED, and how far a start is."""

from enum import StrEnum


class InstanceState(StrEnum):
    """The states of an instance's life."""

    STARTING = "STARTING"
    """Claimed. Its state machine is getting a machine, R and the app."""
    READY = "READY"
    """Its agent takes visitors."""
    DRAINING = "DRAINING"
    """Empty and expired. Nobody may take a seat any more."""
    STOPPED = "STOPPED"
    """Gone. Its slot may be claimed."""


class Phase(StrEnum):
    """How far a start is. The waiting page shows it."""

    MACHINE = "machine"
    R = "R"
    FILES = "files"
    """The app's files are being copied to the machine, which takes a while."""
    APP = "app"


LIVING = frozenset({InstanceState.STARTING, InstanceState.READY, InstanceState.DRAINING})

_NEXT = {
    InstanceState.STARTING: frozenset({InstanceState.READY, InstanceState.STOPPED}),
    InstanceState.READY: frozenset({InstanceState.DRAINING, InstanceState.STOPPED}),
    InstanceState.DRAINING: frozenset({InstanceState.STOPPED}),
    InstanceState.STOPPED: frozenset[InstanceState](),
}

START_LIMIT = 630.0
"""Seconds after which a start is over.

The state machine gives each attempt 300 seconds, and a third attempt hardly ever takes as long. A
row that still says STARTING has lost its state machine, and its slot may be claimed again.
"""


def may_follow(state: InstanceState, after: InstanceState) -> bool:
    """Return whether one step leads from ``after`` to ``state``.

    A failure stops an instance in any state.
    """
    return state in _NEXT[after]


def came_before(state: InstanceState) -> tuple[InstanceState, ...]:
    """Return the states from which one step leads to ``state``, in order of life."""
    return tuple(before for before in InstanceState if may_follow(state, before))


def is_overdue(state: str, claimed_at: float, now: float) -> bool:
    """Return whether this is a start that no state machine follows any more."""
    return state == InstanceState.STARTING and now - claimed_at > START_LIMIT
