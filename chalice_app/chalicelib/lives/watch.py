"""Puts an instance into service, and hands the state machine's next task token to its agent. Runs inside the VPC."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import NotRequired, TypedDict

from chalicelib import telemetry
from chalicelib.agents.client import Agent, AgentClient
from chalicelib.agents.errors import AgentGone, AgentSilent
from chalicelib.instances import spares, store
from chalicelib.instances.errors import InstanceChanged
from chalicelib.instances.model import InstanceRef
from chalicelib.instances.state import InstanceState

_TIMEOUT = 10.0


class WatchEvent(TypedDict):
    """What the state machine sends."""

    instance: str
    """:class:`InstanceRef` as text."""
    address: str
    """``host:port``, as the agent reported it."""
    task: str
    """ARN of its task, as the agent reported it."""
    token: str
    """The task token that the agent beats with, and reports idle with."""
    entered: NotRequired[str]
    """When the state was entered, and the next: how often it has been tried again since. An execution that is older than this code says
    neither."""
    retry: NotRequired[int]


def order_of(event: WatchEvent) -> int:
    """Return what is greater for the token of each later attempt of one state machine. Pure."""
    if "entered" not in event:
        return 0
    return int(datetime.fromisoformat(event["entered"]).timestamp() * 1000) * 100 + event.get("retry", 0)


def watch(event: WatchEvent, agents: AgentClient, clock: Callable[[], float]) -> None:
    """First the token goes to the agent, then the row goes STARTING → READY.

    In this order, because READY sends visitors to the agent: its answer to the token proves that it is there, that it
    is this instance's and that Lambdas reach it. What if it breaks off in between?

    * The agent has not answered: nobody was sent to it. The state machine tries again with a new token, then gives up.
    * The agent has the token and the row was not written: likewise; the agent takes the newer token and drops the old.
    * This goes on although the state machine has given it up and tried again: agent and row know the newer token by its order.
    * The agent reports idle before the row is written: draining finds the row not READY, does nothing, and the machine comes back here.
    * The agent takes the token and dies: no beats, a heartbeat timeout, and the instance fails.
    * The row was given up meanwhile: :class:`InstanceChanged`, and the machine stops the task.

    The second time around (visitors came while it was about to drain) the row is READY already and gets the new token.
    """
    ref = InstanceRef.parse(event["instance"])
    with telemetry.about(instance=ref.instance_id):
        rows = spares.rows_of(ref)
        instance = store.get(rows[0])
        if instance is None or instance.state not in (InstanceState.STARTING, InstanceState.READY):
            raise InstanceChanged(f"instance {ref} was given up before it was ready; its task is to be stopped")
        agent = Agent.of(instance, event["address"])
        order = order_of(event)
        body = json.dumps({"token": event["token"], "order": order}).encode()
        headers = [("content-type", "application/json")]
        answer = agents.request(agent, "POST", "/watch", headers, body, repeatable=True, timeout=_TIMEOUT)
        if answer.status in (403, 404, 410):
            raise AgentGone(f"agent {agent.address} is not that of instance {ref.instance_id}: it answered {answer.status}")
        if answer.status >= 300:
            raise AgentSilent(f"agent {agent.address} did not take its token: it answered {answer.status}")
        for row in rows:
            store.mark_ready(row, event["address"], event["token"], clock(), event["task"], order)
        telemetry.logger.info("ready", extra={"address": event["address"]})
