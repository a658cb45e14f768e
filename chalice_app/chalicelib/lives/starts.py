"""Start the state machine of each newly claimed instance. Runs outside the VPC (FACTS E6b).

The stream of the instances' table invokes this.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from chalicelib import telemetry
from chalicelib.aws import clients
from chalicelib.configuration.deployment import Settings
from chalicelib.instances import store
from chalicelib.instances.model import InstanceRef
from chalicelib.instances.state import InstanceState
from chalicelib.lives import pool

_COMES_BACK = frozenset(
    {
        "ThrottlingException",
        "TooManyRequestsException",
        "ServiceUnavailable",
        "InternalServerError",
        "InternalFailure",
    }
)


class Start(NamedTuple):
    """An instance to start, and the size of its machine."""

    ref: InstanceRef
    size: str

    def document(self) -> dict[str, str]:
        """Return the state machine's input."""
        return {"instance": str(self.ref), "instance_id": self.ref.instance_id, "size": self.size}


def newly_claimed(record: Mapping[str, Any]) -> Start | None:
    """Return the instance that a stream record shows as newly claimed, or None. Pure."""
    images = record.get("dynamodb", {})
    new, old = images.get("NewImage") or {}, images.get("OldImage") or {}
    if (
        record.get("eventName") == "REMOVE"
        or new.get("state", {}).get("S") != InstanceState.STARTING
    ):
        return None
    instance_id = new["instance_id"]["S"]
    if old.get("instance_id", {}).get("S") == instance_id:
        return None
    return Start(
        InstanceRef(new["version_id"]["S"], int(new["slot"]["N"]), instance_id), new["size"]["S"]
    )


def on_change(records: Sequence[Mapping[str, Any]], settings: Settings, now: float) -> None:
    """Start the claimed instances, and refill the pool of spares if it may have changed."""
    started = start_claimed(records, settings.instance_state_machine, now)
    if settings.spares and (started or any(map(pool.left, records))):
        pool.refill(pool.parse(settings.spares), now, settings.most_instances)


def start_claimed(records: Iterable[Mapping[str, Any]], state_machine: str, now: float) -> int:
    """Start the claimed instances; return how many were started.

    An error that may pass is raised, so that the stream delivers the records again.
    """
    return sum(start(one, state_machine, now) for one in filter(None, map(newly_claimed, records)))


def start(one: Start, state_machine: str, now: float) -> bool:
    """Start an instance's state machine, once however often this is called.

    The execution is named after the instance. Return False if it was started before. An instance
    that can never start is marked STOPPED with the reason.
    """
    ref = one.ref
    try:
        clients.client("stepfunctions").start_execution(
            stateMachineArn=state_machine, name=ref.instance_id, input=json.dumps(one.document())
        )
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ExecutionAlreadyExists":
            return False
        if code in _COMES_BACK or error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
            raise
        telemetry.logger.exception("cannot start", extra={"instance": ref.instance_id})
        store.mark_stopped(ref, {"error": code, "cause": str(error)}, now)
        return False
    telemetry.logger.info("starts", extra={"instance": ref.instance_id, "version": ref.version_id})
    return True
