"""End an instance from outside, because its app is archived or because something was lost.

This runs outside the VPC.
"""

from collections.abc import Callable, Mapping, Sequence

from botocore.exceptions import ClientError

from chalicelib import telemetry
from chalicelib.aws import clients
from chalicelib.configuration.deployment import Settings
from chalicelib.instances import spares, store
from chalicelib.instances.model import Instance, InstanceRef
from chalicelib.instances.state import InstanceState, came_before
from chalicelib.lives.steps import stop_tasks
from chalicelib.sessions.connections import farewell


def end(
    instance: Instance,
    failure: Mapping[str, str],
    why: str,
    settings: Settings,
    clock: Callable[[], float],
    after: Sequence[InstanceState] = came_before(InstanceState.STOPPED),
    *,
    counts: bool = True,
) -> bool:
    """Stop the instance if it is in one of the states ``after``; return whether it was.

    With ``counts``, the app does not start another instance at once, as after any failure.

    The row is stopped first, so that nobody gets a seat any more. The state machine comes next,
    since it would try to start the instance again. Then the visitors are told ``why``, while there
    still is a machine. The task is stopped last. If this breaks off after the row, the agent, which
    finds itself given up, and the sweeper do the rest.
    """
    recorded = failure if counts else None
    if not store.mark_stopped(instance.ref, recorded, clock(), after=after):
        return False
    for row in spares.both(instance):
        store.mark_stopped(row, recorded, clock())
    stop_execution(instance.ref, settings.instance_state_machine, failure)
    farewell.tell_all(instance.ref, settings.connections_url, why)
    stopped = stop_tasks(instance.ref, settings.cluster, failure["error"])
    telemetry.logger.warning(
        "ended", extra={"instance": instance.instance_id, "tasks": stopped, **failure}
    )
    return True


def execution_arn(ref: InstanceRef, state_machine: str) -> str:
    """Return the ARN of the state machine's execution for the instance."""
    return f"{state_machine.replace(':stateMachine:', ':execution:')}:{ref.instance_id}"


def stop_execution(ref: InstanceRef, state_machine: str, failure: Mapping[str, str]) -> None:
    """Stop the instance's state machine; do nothing if it does not exist or has ended."""
    try:
        clients.client("stepfunctions").stop_execution(
            executionArn=execution_arn(ref, state_machine), **failure
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionDoesNotExist":
            raise
