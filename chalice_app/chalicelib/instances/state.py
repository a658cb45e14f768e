"""The life of an instance: STARTING → READY → DRAINING → STOPPED, and how far a start is."""

from enum import StrEnum


class InstanceState(StrEnum):
    """Where in its life an instance is."""

    STARTING = "STARTING"
    """Claimed; its state machine is getting a machine, R and the app."""
    READY = "READY"
    """Its agent takes visitors."""
    DRAINING = "DRAINING"
    """Empty and expired; nobody may take a seat any more."""
    STOPPED = "STOPPED"
    """Gone; its slot may be claimed."""


class Phase(StrEnum):
    """How far a start is; shown on the waiting page."""

    MACHINE = "machine"
    R = "R"
    FILES = "files"
    """The app's files are copied to the machine, and that takes a while."""
    APP = "app"


LIVING = frozenset({InstanceState.STARTING, InstanceState.READY, InstanceState.DRAINING})

_NEXT = {
    InstanceState.STARTING: frozenset({InstanceState.READY, InstanceState.STOPPED}),
    InstanceState.READY: frozenset({InstanceState.DRAINING, InstanceState.STOPPED}),
    InstanceState.DRAINING: frozenset({InstanceState.STOPPED}),
    InstanceState.STOPPED: frozenset[InstanceState](),
}

START_LIMIT = 630.0
"""Seconds after which a start is over: the state machine gives each attempt 300, and hardly ever a third one as long. A row that still says
STARTING then lost its state machine, and its slot may be claimed again."""


def may_follow(state: InstanceState, after: InstanceState) -> bool:
    """Whether an instance in state ``after`` may go to ``state`` in one step; a failure may stop it from any."""
    return state in _NEXT[after]


def came_before(state: InstanceState) -> tuple[InstanceState, ...]:
    """The states from which one step leads to ``state``, in the order of life."""
    return tuple(before for before in InstanceState if may_follow(state, before))


def is_overdue(state: str, claimed_at: float, now: float) -> bool:
    """Whether this is a start that nobody follows any more."""
    return state == InstanceState.STARTING and now - claimed_at > START_LIMIT
