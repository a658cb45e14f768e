"""Handle the end of tasks: EventBridge's "ECS Task State Change" events with status STOPPED.

This runs outside the VPC. An event may come late and more than once (FACTS E7).
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from chalicelib import telemetry
from chalicelib.aws import task_tokens
from chalicelib.clock import Clock
from chalicelib.failures import Failure
from chalicelib.instances import spares, store
from chalicelib.instances.model import InstanceRef
from chalicelib.instances.state import InstanceState
from chalicelib.sessions.connections import farewell

MACHINE_STOPPED = "The app's machine stopped. Reload the page to start the app again."
"""The message that visitors get."""

_LONGEST_CAUSE = 1000


class DeadTask(NamedTuple):
    """What an event says about a task that ended: its instance, and why it ended."""

    instance: InstanceRef | None
    token: str | None
    """The task token that the task was started with."""
    cause: str
    arn: str


def read(detail: Mapping[str, Any]) -> DeadTask:
    """Parse the event's detail. Pure."""
    environment = {
        variable["name"]: variable.get("value", "")
        for container in (detail.get("overrides") or {}).get("containerOverrides") or []
        for variable in container.get("environment") or []
    }
    codes = [
        str(container["exitCode"])
        for container in detail.get("containers") or []
        if container.get("exitCode") is not None
    ]
    # Only the container's reason says that memory ran out. The task's reason is that an essential
    # container ended.
    own = [
        str(container["reason"])
        for container in detail.get("containers") or []
        if container.get("reason")
    ]
    reason = ": ".join([detail.get("stoppedReason") or "the task stopped", *own])
    cause = f"{reason} (exit code {', '.join(codes)})" if codes else reason
    instance = environment.get("SHEEN_INSTANCE")
    try:
        ref = InstanceRef.parse(instance) if instance else None
    except ValueError:
        ref = None
    return DeadTask(
        ref,
        environment.get("SHEEN_TASK_TOKEN") or None,
        cause[:_LONGEST_CAUSE],
        str(detail.get("taskArn", "")),
    )


def on_task_stopped(
    detail: Mapping[str, Any], cluster: str, connections_url: str, clock: Clock
) -> None:
    """Free the slot of an instance whose task ended, answer its tokens, and tell its visitors.

    A READY row is stopped first, so that nobody connects to the instance any more. A STARTING row
    is left to its state machine, which may have got a better reason from the agent. A DRAINING
    instance is being stopped and is left alone. For a task that belongs to no instance, only the
    token is answered; that does no harm if it was answered before. A task of another cluster
    belongs to another deployment, since the rule sees every task of the account.
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
            # The task is of a start attempt that was given up; the instance lives in another task.
            _fail_tokens([dead.token], dead.cause)
            return
        tokens.append(row.token)
        failure = Failure.TASK_DIED.because(dead.cause)
        died = False
        for each in rows:
            died |= store.mark_stopped(each, failure, clock(), after=(InstanceState.READY,))
        log = telemetry.logger.warning if died else telemetry.logger.info
        log("a task ended", extra={"instance": dead.instance.instance_id, "cause": dead.cause})
    _fail_tokens(tokens, dead.cause)
    if rows:
        told = farewell.tell_all(rows[0], connections_url, MACHINE_STOPPED)
        if told:
            telemetry.logger.info(
                "visitors were told", extra={"instance": rows[0].instance_id, "visitors": told}
            )


def _fail_tokens(tokens: Iterable[str | None], cause: str) -> None:
    for token in filter(None, dict.fromkeys(tokens)):
        task_tokens.fail(token, Failure.TASK_DIED, cause)
