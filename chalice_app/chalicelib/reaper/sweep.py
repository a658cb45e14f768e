"""The sweeper: repairs on a schedule what every other path missed, and says in its log what it repaired. Outside the VPC."""

from collections.abc import Callable, Iterator
from typing import Any, assert_never

from botocore.exceptions import ClientError

from chalicelib import aws, telemetry
from chalicelib.apps import store as apps
from chalicelib.instances import store
from chalicelib.instances.model import Instance
from chalicelib.instances.state import InstanceState
from chalicelib.queue import store as queue
from chalicelib.reaper import deaths, ending
from chalicelib.reaper.repairs import (
    EXECUTION_LOST,
    End,
    Repair,
    SeenInstance,
    SeenTask,
    StartAgain,
    StopTask,
    is_leaked,
    repairs,
)
from chalicelib.scheduler import starts
from chalicelib.settings import Settings

_WHY = "The app's machine stopped. Reload the page to start the app again."
_QUEUE_GRACE = 60.0
_MOST_DESCRIBED = 100


def sweep(settings: Settings, clock: Callable[[], float]) -> dict[str, int]:
    """Look at everything once; return how many repairs of each kind were made."""
    rows = {row.instance_id: row for row in store.everywhere()}
    archived = {app.location for app in apps.everywhere() if app.archived_at is not None}
    executions, tasks = set(_executions(settings)), list(_tasks(settings))
    found = repairs([seen(row) for row in rows.values()], executions, tasks, archived, clock())
    made: dict[str, int] = {}
    for repair in found:
        if _make(repair, rows, settings, clock):
            made[type(repair).__name__] = made.get(type(repair).__name__, 0) + 1
            telemetry.logger.warning("repaired", extra={"repair": type(repair).__name__, **_plain(repair)})
    for place in queue.expired(clock() - _QUEUE_GRACE):
        queue.leave(place.version_id, place.place)
        made["QueuePlace"] = made.get("QueuePlace", 0) + 1
    telemetry.logger.info("swept", extra={"instances": len(rows), "tasks": len(tasks), "executions": len(executions), "repairs": made})
    return made


def seen(row: Instance) -> SeenInstance:
    """The row as the decision sees it."""
    ready_at = float(row.ready_at) if row.ready_at is not None else None
    return SeenInstance(row.ref, row.state, row.location, row.size, float(row.claimed_at), ready_at, row.task or "")


def _make(repair: Repair, rows: dict[str, Instance], settings: Settings, clock: Callable[[], float]) -> bool:
    """Make a repair, if it is still needed; say whether it was."""
    match repair:
        case End(ref, state, error, cause):
            return ending.end(rows[ref.instance_id], {"error": error, "cause": cause}, _WHY, settings, clock, (InstanceState(state),))
        case StartAgain(ref, size):
            if starts.start(starts.Start(ref, size), settings.instance_state_machine, clock()):
                return True
            failure = {"error": EXECUTION_LOST, "cause": "Its state machine ended while it was starting."}
            return ending.end(rows[ref.instance_id], failure, _WHY, settings, clock, (InstanceState.STARTING,))
        case StopTask(arn, ref):
            row = store.get(ref)
            return is_leaked(arn, seen(row) if row is not None else None) and _stop(arn, settings.cluster)
    assert_never(repair)


def _stop(arn: str, cluster: str) -> bool:
    try:
        aws.client("ecs").stop_task(cluster=cluster, task=arn, reason="no instance")
    except ClientError as error:
        if error.response["Error"]["Code"] != "InvalidParameterException":
            raise
        return False
    return True


def _executions(settings: Settings) -> Iterator[str]:
    """Names of the executions that run: ids of instances."""
    pages = aws.client("stepfunctions").get_paginator("list_executions")
    for page in pages.paginate(stateMachineArn=settings.instance_state_machine, statusFilter="RUNNING"):
        yield from (execution["name"] for execution in page["executions"])


def _tasks(settings: Settings) -> Iterator[SeenTask]:
    """The tasks of instances; builds and other one-shot tasks end by themselves."""
    ecs = aws.client("ecs")
    arns = [
        arn
        for page in ecs.get_paginator("list_tasks").paginate(cluster=settings.cluster, desiredStatus="RUNNING")
        for arn in page["taskArns"]
    ]
    for first in range(0, len(arns), _MOST_DESCRIBED):
        for task in ecs.describe_tasks(cluster=settings.cluster, tasks=arns[first : first + _MOST_DESCRIBED])["tasks"]:
            ref = deaths.read(task).instance
            if ref is not None:
                yield SeenTask(task["taskArn"], ref, task["createdAt"].timestamp())


def _plain(repair: Repair) -> dict[str, Any]:
    return {name: str(value) for name, value in repair._asdict().items()}
