"""The last steps of an instance's state machine: drain, stop and fail.

They run outside the VPC. Each may run more than once (FACTS H4).
"""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import telemetry
from chalicelib.aws import clients
from chalicelib.clock import Clock
from chalicelib.failures import Failure
from chalicelib.instances import spares, store
from chalicelib.instances.model import InstanceRef
from chalicelib.sessions.connections import farewell


def drain(event: Mapping[str, Any], clock: Clock) -> dict[str, bool]:
    """Move the instance READY → DRAINING if nobody holds a seat; return whether it is DRAINING now.

    ``event`` has ``instance``.
    """
    ref = InstanceRef.parse(event["instance"])
    drained = store.drain(spares.rows_of(ref)[0], clock())
    telemetry.logger.info(
        "drained" if drained else "in use again", extra={"instance": ref.instance_id}
    )
    return {"drained": drained}


def stop(event: Mapping[str, Any], cluster: str, clock: Clock) -> dict[str, int]:
    """Stop a drained instance's task, then free its slot. ``event`` has ``instance``."""
    ref = InstanceRef.parse(event["instance"])
    stopped = stop_tasks(ref, cluster, "idle")
    for row in spares.rows_of(ref):
        store.mark_stopped(row, None, clock())
    telemetry.logger.info("stopped", extra={"instance": ref.instance_id, "tasks": stopped})
    return {"tasks": stopped}


def fail(
    event: Mapping[str, Any], cluster: str, connections_url: str, clock: Clock
) -> dict[str, int]:
    """Free the slot of a failed instance, stop its task, and tell its visitors.

    ``event`` has ``instance`` and ``error`` (``Error``, ``Cause``). The row is stopped first, with
    the reason. Waiting visitors are then told at once, and the next visitor gets another instance.
    """
    ref = InstanceRef.parse(event["instance"])
    error = event.get("error") or {}
    failure = {
        "error": str(error.get("Error", Failure.UNKNOWN)),
        "cause": str(error.get("Cause", "")),
    }
    rows = spares.rows_of(ref)
    for row in rows:
        store.mark_stopped(row, failure, clock())
    stopped = stop_tasks(ref, cluster, failure["error"])
    telemetry.logger.warning(
        "failed", extra={"instance": ref.instance_id, "tasks": stopped, **failure}
    )
    farewell.tell_all(
        rows[0],
        connections_url,
        "The app's machine no longer answers. Reload the page to start the app again.",
    )
    return {"tasks": stopped}


def stop_tasks(ref: InstanceRef, cluster: str, reason: str) -> int:
    """Stop every task that was started for the instance; return how many there were."""
    ecs = clients.client("ecs")
    arns = ecs.list_tasks(cluster=cluster, startedBy=ref.instance_id)["taskArns"]
    for arn in arns:
        try:
            ecs.stop_task(cluster=cluster, task=arn, reason=reason[:255])
        except ClientError as error:
            # The task stopped by itself since it was listed.
            if error.response["Error"]["Code"] != "InvalidParameterException":
                raise
    return len(arns)
