"""Decide what the sweeper repairs after the other paths missed it. Pure.

Everything is found by comparing what exists: rows of instances, running executions and running
tasks. Young things are left alone, because each of the three follows the others only after a while.
"""

from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple

from chalicelib.failures import Failure
from chalicelib.instances.model import InstanceRef
from chalicelib.instances.state import InstanceState, is_overdue

GRACE = 120.0
"""Seconds after which things that belong together must all exist.

The stream and EventBridge come late, and ECS's reads are eventually consistent (FACTS E1, E6b).
"""

DRAIN_LIMIT = 300.0
"""Seconds after which the stop of a drained instance is certainly lost.

Its state machine stops a drained instance at once.
"""


class SeenInstance(NamedTuple):
    """An instance's row as the decision sees it."""

    ref: InstanceRef
    state: str
    app: str
    """The app's name."""
    size: str
    claimed_at: float
    ready_at: float | None
    task: str
    """ARN of its task; empty while it is not known."""
    draining_at: float | None = None


class SeenTask(NamedTuple):
    """A task of an instance that runs or is being started."""

    arn: str
    ref: InstanceRef
    created_at: float


class EndInstance(NamedTuple):
    """End the instance, if it is still in this state."""

    ref: InstanceRef
    state: str
    error: Failure
    cause: str


class StartAgain(NamedTuple):
    """Start the state machine of a claimed instance that has none."""

    ref: InstanceRef
    size: str


class StopTask(NamedTuple):
    """Stop a task that belongs to no living instance."""

    arn: str
    ref: InstanceRef


Repair = EndInstance | StartAgain | StopTask


def repairs(
    instances: Iterable[SeenInstance],
    executions: Set[str],
    tasks: Iterable[SeenTask],
    archived: Set[str],
    now: float,
) -> list[Repair]:
    """Return the repairs to make.

    ``executions`` are the ids of instances whose state machine runs. ``archived`` are the names of
    archived apps.

    The caller must read rows before executions and tasks. A thing that ended in between then looks
    lost, and its repair does nothing, because it is conditional on the row's state. The caller may
    stop a task only if its row, read once more, confirms that it is leaked.
    """
    living = {
        seen.ref.instance_id: seen for seen in instances if seen.state != InstanceState.STOPPED
    }
    tasks = list(tasks)
    running = {task.arn for task in tasks}
    found: list[Repair] = []
    for seen in living.values():
        repair = _of_instance(seen, executions, running, archived, now)
        if repair is not None:
            found.append(repair)
    found += [
        StopTask(task.arn, task.ref)
        for task in tasks
        if now - task.created_at > GRACE and is_leaked(task.arn, living.get(task.ref.instance_id))
    ]
    return found


def is_leaked(arn: str, seen: SeenInstance | None) -> bool:
    """Return whether a task belongs to no living instance.

    Its row has stopped or is gone, or the instance lives in another task.
    """
    return (
        seen is None
        or seen.state == InstanceState.STOPPED
        or (seen.task not in ("", arn) and seen.state != InstanceState.STARTING)
    )


def drift(
    places: Mapping[str, float], instances: Iterable[SeenInstance], now: float
) -> tuple[list[str], list[str]]:
    """Compare the places below the ceiling of instances with the living instances.

    Return two lists of instance ids: holders of a place that do not live, and living instances
    without a place. ``places`` (instance id → when it was claimed) must be read before the rows, so
    that a row written after its place is seen.
    """
    living = {
        seen.ref.instance_id: seen.claimed_at
        for seen in instances
        if seen.state != InstanceState.STOPPED
    }
    gone = [
        instance
        for instance, since in places.items()
        if instance not in living and now - since > GRACE
    ]
    return gone, [
        instance
        for instance, since in living.items()
        if instance not in places and now - since > GRACE
    ]


def _of_instance(
    seen: SeenInstance, executions: Set[str], running: Set[str], archived: Set[str], now: float
) -> Repair | None:
    def end(error: Failure, cause: str) -> EndInstance:
        return EndInstance(seen.ref, seen.state, error, cause)

    if seen.app in archived:
        return end(Failure.ARCHIVED, "The app is archived.")
    if is_overdue(seen.state, seen.claimed_at, now):
        return end(Failure.START_LOST, "Nobody knows any more how far the start was.")
    watched = seen.ref.instance_id in executions
    if not watched and now - seen.claimed_at > GRACE:
        if seen.state == InstanceState.STARTING:
            return StartAgain(seen.ref, seen.size)
        return end(Failure.EXECUTION_LOST, "Its state machine has ended without it.")
    if (
        seen.state == InstanceState.DRAINING
        and seen.draining_at is not None
        and now - seen.draining_at > DRAIN_LIMIT
    ):
        return end(Failure.DRAIN_LOST, "It was drained, and nobody stopped it.")
    if (
        seen.state == InstanceState.READY
        and seen.task
        and seen.task not in running
        and seen.ready_at is not None
        and now - seen.ready_at > GRACE
    ):
        return end(Failure.TASK_DIED, "Its task has ended, and nobody was told.")
    return None
