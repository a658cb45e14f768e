"""The sweeper: repair on a schedule what every other path missed, and log each repair.

This runs outside the VPC.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, assert_never

from botocore.exceptions import ClientError

from chalicelib import telemetry
from chalicelib.apps import store as apps
from chalicelib.aws import clients
from chalicelib.configuration.deployment import Settings
from chalicelib.failures import Failure
from chalicelib.instances import spares, store
from chalicelib.instances.ceilings import store as ceilings
from chalicelib.instances.ceilings.model import HELD, INSTANCES
from chalicelib.instances.model import Instance
from chalicelib.instances.state import InstanceState
from chalicelib.lives import deaths, ending, pool, starts
from chalicelib.lives.deaths import MACHINE_STOPPED
from chalicelib.lives.repairs import (
    EndInstance,
    Repair,
    SeenInstance,
    SeenTask,
    StartAgain,
    StopTask,
    drift,
    is_leaked,
    repairs,
)
from chalicelib.scheduler.queue import store as queue

_QUEUE_GRACE = 60.0
_STOPPED_SPARE_KEPT = 600.0
"""Seconds that a stopped spare's row is kept.

Late events of the spare then find the row, and a refill sees that the spare failed.
"""
_MOST_DESCRIBED = 100


def sweep(settings: Settings, clock: Callable[[], float]) -> dict[str, int]:
    """Look at everything once; return how many repairs of each kind were made."""
    # Read before the rows: a holder of a place that has no row by then is gone.
    places = ceilings.holders(INSTANCES)
    every = store.everywhere()
    rows = counted(every)
    published = apps.everywhere()
    archived = {app.name for app in published if app.archived_at is not None}
    executions, tasks = set(_executions(settings)), list(_tasks(settings))
    found = repairs([seen(row) for row in rows.values()], executions, tasks, archived, clock())
    made: dict[str, int] = {}
    for repair in found:
        if _make(repair, rows, settings, clock):
            made[type(repair).__name__] = made.get(type(repair).__name__, 0) + 1
            telemetry.logger.warning(
                "repaired", extra={"repair": type(repair).__name__, **_plain(repair)}
            )
    if (claimed := pool.refill(pool.parse(settings.spares), clock(), settings.most_instances)) > 0:
        made["Spare"] = claimed
    if (retired := _retire_spares(rows.values(), settings, clock)) > 0:
        made[Failure.SPARE_TOO_MANY.value] = retired
    for row in every:
        stopped = row.state == InstanceState.STOPPED and spares.is_spare(row.version_id)
        if stopped and clock() - float(row.stopped_at or 0.0) > _STOPPED_SPARE_KEPT:
            spares.forget(row)
    for place in queue.expired(clock() - _QUEUE_GRACE):
        queue.leave(place.version_id, place.place)
        made["QueuePlace"] = made.get("QueuePlace", 0) + 1
    if settings.most_instances:
        gone, missing = drift(places, [seen(row) for row in every], clock())
        if (wrong := ceilings.correct(INSTANCES, gone, missing, clock())) > 0:
            made["Place"] = wrong
    ceilings.expire(HELD, clock())
    if carried := sum(app.locations is None and apps.carry_over(app, clock()) for app in published):
        made["Location"] = carried
    telemetry.logger.info(
        "swept",
        extra={
            "instances": len(rows),
            "tasks": len(tasks),
            "executions": len(executions),
            "repairs": made,
        },
    )
    return made


def counted(rows: Iterable[Instance]) -> dict[str, Instance]:
    """Return the row that counts for each instance, by instance id.

    For a bound spare that is the app's row, as long as it lives.
    """
    found: dict[str, Instance] = {}
    for row in rows:
        other = found.get(row.instance_id)
        if (
            other is None
            or other.state == InstanceState.STOPPED
            or (row.was_spare and row.state != InstanceState.STOPPED)
        ):
            found[row.instance_id] = row
    return found


def _retire_spares(rows: Iterable[Instance], settings: Settings, clock: Callable[[], float]) -> int:
    """End the surplus spares, oldest first; return how many ended."""
    wanted, now, retired = pool.parse(settings.spares), clock(), 0
    by_size: dict[str, list[Instance]] = {}
    for row in rows:
        if spares.is_spare(row.version_id):
            by_size.setdefault(row.size, []).append(row)
    for size, pooled in by_size.items():
        surplus = max(0, -pool.missing(pooled, wanted.get(size, 0), now))
        for row in sorted(filter(spares.is_free, pooled), key=lambda row: float(row.claimed_at))[
            :surplus
        ]:
            failure = Failure.SPARE_TOO_MANY.because("There are to be fewer spare instances.")
            if spares.retire(row, now) and ending.end(
                row, failure, MACHINE_STOPPED, settings, clock, (InstanceState.DRAINING,)
            ):
                retired += 1
    return retired


def seen(row: Instance) -> SeenInstance:
    """Return the row as the decision sees it."""
    ready_at = float(row.ready_at) if row.ready_at is not None else None
    draining_at = float(row.draining_at) if row.draining_at is not None else None
    return SeenInstance(
        row.ref,
        row.state,
        row.app,
        row.size,
        float(row.claimed_at),
        ready_at,
        row.task or "",
        draining_at,
    )


def _make(
    repair: Repair, rows: dict[str, Instance], settings: Settings, clock: Callable[[], float]
) -> bool:
    """Make a repair if it is still needed; return whether it was."""
    match repair:
        case EndInstance(ref, state, error, cause):
            return ending.end(
                rows[ref.instance_id],
                error.because(cause),
                MACHINE_STOPPED,
                settings,
                clock,
                (InstanceState(state),),
            )
        case StartAgain(ref, size):
            if starts.start(starts.Start(ref, size), settings.instance_state_machine, clock()):
                return True
            failure = Failure.EXECUTION_LOST.because(
                "Its state machine ended while it was starting."
            )
            return ending.end(
                rows[ref.instance_id],
                failure,
                MACHINE_STOPPED,
                settings,
                clock,
                (InstanceState.STARTING,),
            )
        case StopTask(arn, ref):
            row = store.get(spares.rows_of(ref)[0])
            return is_leaked(arn, seen(row) if row is not None else None) and _stop(
                arn, settings.cluster
            )
    assert_never(repair)


def _stop(arn: str, cluster: str) -> bool:
    try:
        clients.client("ecs").stop_task(cluster=cluster, task=arn, reason="no instance")
    except ClientError as error:
        if error.response["Error"]["Code"] != "InvalidParameterException":
            raise
        return False
    return True


def _executions(settings: Settings) -> Iterator[str]:
    """Yield the names of the running executions, which are ids of instances."""
    pages = clients.client("stepfunctions").get_paginator("list_executions")
    for page in pages.paginate(
        stateMachineArn=settings.instance_state_machine, statusFilter="RUNNING"
    ):
        yield from (execution["name"] for execution in page["executions"])


def _tasks(settings: Settings) -> Iterator[SeenTask]:
    """Yield the tasks of instances. Builds and other one-shot tasks end by themselves."""
    ecs = clients.client("ecs")
    arns = [
        arn
        for page in ecs.get_paginator("list_tasks").paginate(
            cluster=settings.cluster, desiredStatus="RUNNING"
        )
        for arn in page["taskArns"]
    ]
    for first in range(0, len(arns), _MOST_DESCRIBED):
        for task in ecs.describe_tasks(
            cluster=settings.cluster, tasks=arns[first : first + _MOST_DESCRIBED]
        )["tasks"]:
            ref = deaths.read(task).instance
            if ref is not None:
                yield SeenTask(task["taskArn"], ref, task["createdAt"].timestamp())


def _plain(repair: Repair) -> dict[str, Any]:
    return {name: str(value) for name, value in repair._asdict().items()}
