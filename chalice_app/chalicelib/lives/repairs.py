"""What is to be repaired of what the other paths missed, as the sweeper sees it. Pure.

Everything is found by comparing what there is: rows of instances, executions that run, tasks that run. What is young is left alone: each
of them follows the other after a while.
"""

from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple

from chalicelib.instances.model import InstanceRef
from chalicelib.instances.state import InstanceState, is_overdue

GRACE = 120.0
"""Seconds after which what belongs together must be there together: the stream and EventBridge come late, and ECS's reads are eventually
consistent (FACTS E1, E6b)."""

DRAIN_LIMIT = 300.0
"""Seconds after which a drained instance has certainly not been stopped: its state machine does that at once."""

ARCHIVED = "Archived"
DRAIN_LOST = "DrainLost"
START_LOST = "StartLost"
EXECUTION_LOST = "ExecutionLost"
TASK_LOST = "TaskDied"


class SeenInstance(NamedTuple):
    """An instance's row."""

    ref: InstanceRef
    state: str
    location: str
    size: str
    claimed_at: float
    ready_at: float | None
    task: str
    """ARN of its task; empty when it is not known yet."""
    draining_at: float | None = None


class SeenTask(NamedTuple):
    """A task of an instance, that runs or is being started."""

    arn: str
    ref: InstanceRef
    created_at: float


class End(NamedTuple):
    """End the instance, if it is still in this state."""

    ref: InstanceRef
    state: str
    error: str
    cause: str


class StartAgain(NamedTuple):
    """Nobody has started this claimed instance."""

    ref: InstanceRef
    size: str


class StopTask(NamedTuple):
    """Stop a task that is no living instance's."""

    arn: str
    ref: InstanceRef


Repair = End | StartAgain | StopTask


def repairs(
    instances: Iterable[SeenInstance], executions: Set[str], tasks: Iterable[SeenTask], archived: Set[str], now: float
) -> list[Repair]:
    """Return what is to be done. ``executions``: ids of instances whose state machine runs; ``archived``: locations of archived apps.

    Rows are to be read before executions and tasks: what ended in between is then seen as a loss, and the repair, which is conditional on
    the row's state, does nothing. A task is to be stopped only if its row, read once more, says so.
    """
    living = {seen.ref.instance_id: seen for seen in instances if seen.state != InstanceState.STOPPED}
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
    """Whether a task is no living instance's: its row has stopped or is gone, or the instance lives in another task."""
    return seen is None or seen.state == InstanceState.STOPPED or (seen.task not in ("", arn) and seen.state != InstanceState.STARTING)


def drift(places: Mapping[str, float], instances: Iterable[SeenInstance], now: float) -> tuple[list[str], list[str]]:
    """Return who holds a place below the ceiling of instances and does not live, and who lives and holds none, by instance id.

    ``places`` (instance id → when it was claimed) are to be read before the rows: a row that comes after its place is then seen.
    """
    living = {seen.ref.instance_id: seen.claimed_at for seen in instances if seen.state != InstanceState.STOPPED}
    gone = [instance for instance, since in places.items() if instance not in living and now - since > GRACE]
    return gone, [instance for instance, since in living.items() if instance not in places and now - since > GRACE]


def _of_instance(seen: SeenInstance, executions: Set[str], running: Set[str], archived: Set[str], now: float) -> Repair | None:
    def end(error: str, cause: str) -> End:
        return End(seen.ref, seen.state, error, cause)

    if seen.location in archived:
        return end(ARCHIVED, "The app is archived.")
    if is_overdue(seen.state, seen.claimed_at, now):
        return end(START_LOST, "Nobody knows any more how far the start was.")
    watched = seen.ref.instance_id in executions
    if not watched and now - seen.claimed_at > GRACE:
        if seen.state == InstanceState.STARTING:
            return StartAgain(seen.ref, seen.size)
        return end(EXECUTION_LOST, "Its state machine has ended without it.")
    if seen.state == InstanceState.DRAINING and seen.draining_at is not None and now - seen.draining_at > DRAIN_LIMIT:
        return end(DRAIN_LOST, "It was drained, and nobody stopped it.")
    if (
        seen.state == InstanceState.READY
        and seen.task
        and seen.task not in running
        and seen.ready_at is not None
        and now - seen.ready_at > GRACE
    ):
        return end(TASK_LOST, "Its task has ended, and nobody was told.")
    return None
