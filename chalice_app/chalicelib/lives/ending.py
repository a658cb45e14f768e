"""Ends an instance from outside its own life: because its app is archived, or because something was lost. Outside the VPC."""

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
) -> bool:
    """Stop the instance, if it is in one of the states ``after``; say whether it was.

    The row comes first, so that nobody gets a seat any more; then its state machine, which else would try to start it again; then its
    visitors are told ``why``, while there is a machine yet; then its task. Broken off after the row, the rest is done by the agent, which
    finds itself given up, and by the sweeper.
    """
    if not store.mark_stopped(instance.ref, failure, clock(), after=after):
        return False
    for row in spares.both(instance):
        store.mark_stopped(row, failure, clock())
    stop_execution(instance.ref, settings.instance_state_machine, failure)
    farewell.tell_all(instance.ref, settings.connections_url, why)
    stopped = stop_tasks(instance.ref, settings.cluster, failure["error"])
    telemetry.logger.warning("ended", extra={"instance": instance.instance_id, "tasks": stopped, **failure})
    return True


def execution_arn(ref: InstanceRef, state_machine: str) -> str:
    """Return the ARN of the execution that is the instance's life."""
    return f"{state_machine.replace(':stateMachine:', ':execution:')}:{ref.instance_id}"


def stop_execution(ref: InstanceRef, state_machine: str, failure: Mapping[str, str]) -> None:
    """Stop the instance's state machine; nothing when there is none, or it has ended."""
    try:
        clients.client("stepfunctions").stop_execution(executionArn=execution_arn(ref, state_machine), **failure)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionDoesNotExist":
            raise
