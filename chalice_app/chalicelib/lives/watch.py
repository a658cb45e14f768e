"""Put an instance into service, and hand each new task token to its agent. Runs inside the VPC."""

from datetime import datetime
from typing import NotRequired, TypedDict

from chalicelib import telemetry
from chalicelib.agents import protocol
from chalicelib.agents.client import Agent, AgentClient
from chalicelib.agents.errors import AgentGone, AgentSilent
from chalicelib.clock import Clock
from chalicelib.instances import spares, store
from chalicelib.instances.errors import InstanceChanged
from chalicelib.instances.model import InstanceRef
from chalicelib.instances.state import InstanceState

_TIMEOUT = 10.0


class WatchEvent(TypedDict):
    """The state machine's input."""

    instance: str
    """:class:`InstanceRef` as text."""
    address: str
    """``host:port``, as the agent reported it."""
    task: str
    """ARN of its task, as the agent reported it."""
    token: str
    """The task token with which the agent beats and reports idle."""
    entered: NotRequired[str]
    """When the state was entered. An execution older than this code omits it and ``retry``."""
    retry: NotRequired[int]
    """How often the state was retried since it was entered."""


def order_of(event: WatchEvent) -> int:
    """Return a number that grows with each later attempt of one state machine. Pure."""
    if "entered" not in event:
        return 0
    return int(datetime.fromisoformat(event["entered"]).timestamp() * 1000) * 100 + event.get(
        "retry", 0
    )


def watch(event: WatchEvent, agents: AgentClient, clock: Clock) -> None:
    """Hand the token to the agent, then move the row STARTING → READY.

    The agent comes first, because READY sends visitors to it. Its answer to the token proves that
    it runs, that it belongs to this instance and that Lambdas can reach it. What if this breaks off
    in between?

    * The agent has not answered: no visitor was sent to it. The state machine tries again with a
      new token, then gives up.
    * The agent has the token and the row was not written: no visitor was sent to it. The state
      machine tries again, and the agent takes the newer token and drops the old one.
    * This call goes on although the state machine has given it up and tried again: agent and row
      recognise the newer token by its order.
    * The agent reports idle before the row is written: draining finds that the row is not READY and
      does nothing, and the state machine comes back here.
    * The agent takes the token and dies: no beats come, the heartbeat times out, and the instance
      fails.
    * The row was given up meanwhile: :class:`InstanceChanged` is raised, and the state machine
      stops the task.

    If visitors came while the instance was about to drain, this runs a second time. The row is
    READY already and gets the new token.
    """
    ref = InstanceRef.parse(event["instance"])
    with telemetry.about(instance=ref.instance_id):
        rows = spares.rows_of(ref)
        instance = store.get(rows[0])
        if instance is None or instance.state not in (InstanceState.STARTING, InstanceState.READY):
            raise InstanceChanged(
                f"instance {ref} was given up before it was ready; its task is to be stopped"
            )
        agent = Agent.of(instance, event["address"])
        order = order_of(event)
        body = protocol.Watch(event["token"], order).encoded()
        headers = [("content-type", "application/json")]
        answer = agents.request(
            agent, "POST", protocol.WATCH, headers, body, repeatable=True, timeout=_TIMEOUT
        )
        if answer.status in protocol.NOT_THE_AGENT:
            raise AgentGone(
                f"agent {agent.address} is not that of instance {ref.instance_id}: it "
                f"answered {answer.status}"
            )
        if answer.status >= 300:
            raise AgentSilent(
                f"agent {agent.address} did not take its token: it answered {answer.status}"
            )
        for row in rows:
            store.mark_ready(row, event["address"], event["token"], clock(), event["task"], order)
        telemetry.logger.info("ready", extra={"address": event["address"]})
