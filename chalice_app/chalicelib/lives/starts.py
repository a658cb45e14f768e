"""Start the state machine of each newly claimed instance. Runs outside the VPC (FACTS E6b).

A claim is an errand whose row is the instance's own: the claim asks, the table's stream starts this
function, and the row's state is the answer. A separate errand (:mod:`chalicelib.errands`) would be
a second write before a visitor's page.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from chalicelib import telemetry
from chalicelib.aws import clients, streams
from chalicelib.configuration.deployment import Settings
from chalicelib.instances import store
from chalicelib.instances.model import InstanceRef
from chalicelib.instances.state import InstanceState
from chalicelib.lives import pool


class Start(NamedTuple):
    """An instance to start, and the size of its machine."""

    ref: InstanceRef
    size: str

    def document(self) -> dict[str, str]:
        """Return the state machine's input."""
        return {"instance": str(self.ref), "instance_id": self.ref.instance_id, "size": self.size}


def newly_claimed(change: streams.ItemChange) -> Start | None:
    """Return the instance that a change of a row shows as newly claimed, or None. Pure."""
    new, old = change.new, change.old
    if change.event == "REMOVE" or new.get("state", {}).get("S") != InstanceState.STARTING:
        return None
    instance_id = new["instance_id"]["S"]
    if old.get("instance_id", {}).get("S") == instance_id:
        return None
    return Start(
        InstanceRef(new["version_id"]["S"], int(new["slot"]["N"]), instance_id), new["size"]["S"]
    )


def on_change(
    records: Sequence[Mapping[str, Any]], settings: Settings, now: float
) -> streams.Accepted:
    """Start the claimed instances, and refill the pool of spares if it may have changed.

    The sweeper finds a start that is lost here.
    """
    changed_pool = False

    def act(change: streams.ItemChange) -> None:
        nonlocal changed_pool
        one = newly_claimed(change)
        started = one is not None and start(one, settings.instance_state_machine, now)
        changed_pool |= started or pool.left(change) is not None

    accepted = streams.each(records, act)
    if settings.spares and changed_pool:
        pool.refill(pool.parse(settings.spares), now, settings.most_instances)
    return accepted


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
        if streams.may_pass(error):
            raise
        telemetry.logger.exception("cannot start", extra={"instance": ref.instance_id})
        store.mark_stopped(ref, {"error": code, "cause": str(error)}, now)
        return False
    telemetry.logger.info("starts", extra={"instance": ref.instance_id, "version": ref.version_id})
    return True
