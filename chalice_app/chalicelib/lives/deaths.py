"""Notices tasks that ended: EventBridge "ECS Task State Change", STOPPED. Outside the VPC. May come late and more than once (FACTS E7)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from chalicelib import telemetry
from chalicelib.aws import task_tokens
from chalicelib.instances import spares, store
from chalicelib.instances.model import InstanceRef
from chalicelib.instances.state import InstanceState
from chalicelib.sessions.connections import farewell

TASK_DIED = "TaskDied"
"""The error that the state machine gets."""
MACHINE_STOPPED = "The app's machine stopped. Reload the page to start the app again."
"""What visitors are told."""

_LONGEST_CAUSE = 1000


class DeadTask(NamedTuple):
    """What an event tells of a task that ended: whose it was, and why it ended."""

    instance: InstanceRef | None
    token: str | None
    """The task token that it was started with."""
    cause: str
    arn: str


def read(detail: Mapping[str, Any]) -> DeadTask:
    """Read the event's detail. Pure."""
    environment = {
        variable["name"]: variable.get("value", "")
        for container in (detail.get("overrides") or {}).get("containerOverrides") or []
        for variable in container.get("environment") or []
    }
    codes = [str(container["exitCode"]) for container in detail.get("containers") or [] if container.get("exitCode") is not None]
    # Only the container says that memory had run out; of the task it is said that an essential container has ended.
    own = [str(container["reason"]) for container in detail.get("containers") or [] if container.get("reason")]
    reason = ": ".join([detail.get("stoppedReason") or "the task stopped", *own])
    cause = f"{reason} (exit code {', '.join(codes)})" if codes else reason
    instance = environment.get("SHEEN_INSTANCE")
    try:
        ref = InstanceRef.parse(instance) if instance else None
    except ValueError:
        ref = None
    return DeadTask(ref, environment.get("SHEEN_TASK_TOKEN") or None, cause[:_LONGEST_CAUSE], str(detail.get("taskArn", "")))


def on_task_stopped(detail: Mapping[str, Any], cluster: str, connections_url: str, clock: Callable[[], float]) -> None:
    """Free the slot of an instance whose task ended by itself, wake whoever waits for the task, and tell the visitors.

    A READY row is stopped first: from then on nobody connects to it. A STARTING one is left to its state machine, which may have been told
    a better reason by the agent. An instance that is being stopped is DRAINING and is left alone. A task that is not an instance's only
    has its token answered, which nobody minds when it was answered before. One of another cluster is another deployment's: the rule hears
    of every task of the account.
    """
    if str(detail.get("clusterArn", "")).rpartition("/")[2] != cluster:
        return
    dead = read(detail)
    tokens = [dead.token]
    rows: list[InstanceRef] = []
    if dead.instance is not None:
        rows = spares.rows_of(dead.instance)
        row = store.get(rows[0])
        if row is None or row.state == InstanceState.DRAINING:
            return
        if row.task and dead.arn and row.task != dead.arn:
            # An attempt to start the instance that was given up; it lives in another task.
            _fail_tokens([dead.token], dead.cause)
            return
        tokens.append(row.token)
        failure = {"error": TASK_DIED, "cause": dead.cause}
        died = False
        for each in rows:
            died |= store.mark_stopped(each, failure, clock(), after=(InstanceState.READY,))
        log = telemetry.logger.warning if died else telemetry.logger.info
        log("a task ended", extra={"instance": dead.instance.instance_id, "cause": dead.cause})
    _fail_tokens(tokens, dead.cause)
    if rows:
        told = farewell.tell_all(rows[0], connections_url, MACHINE_STOPPED)
        if told:
            telemetry.logger.info("visitors were told", extra={"instance": rows[0].instance_id, "visitors": told})


def _fail_tokens(tokens: Iterable[str | None], cause: str) -> None:
    for token in filter(None, dict.fromkeys(tokens)):
        task_tokens.fail(token, TASK_DIED, cause)
