"""Tell the agent of a spare instance which app it is bound to. Runs inside the VPC."""

from chalicelib import telemetry
from chalicelib.agents import protocol
from chalicelib.agents.client import Agent, AgentClient
from chalicelib.agents.errors import AgentError, AgentGone
from chalicelib.clock import Clock
from chalicelib.failures import Failure
from chalicelib.instances import spares, store
from chalicelib.instances.model import Instance

_TIMEOUT = 10.0
_MOST = 10_000


class Binding:
    """The agents that this environment knows to be bound.

    Each environment tells each agent once, so no environment has to know which one was first.
    """

    def __init__(self, agents: AgentClient, clock: Clock) -> None:
        self._agents = agents
        self._clock = clock
        self._bound: set[str] = set()

    def ensure(self, instance: Instance) -> None:
        """Let the agent serve its app if the instance was a spare; otherwise do nothing.

        Raise :class:`AgentGone` if the agent cannot be bound. The instance is then given up: the
        next look finds its slot free, and the visitor gets another instance. What still runs of the
        old one finds itself given up.
        """
        if not instance.was_spare or instance.instance_id in self._bound:
            return
        try:
            body = protocol.Bind(str(instance.ref)).encoded()
            headers = [("content-type", "application/json")]
            agent = Agent.of(instance)
            answer = self._agents.request(
                agent, "POST", protocol.BIND, headers, body, repeatable=True, timeout=_TIMEOUT
            )
            if answer.status >= 300:
                raise AgentGone(
                    f"agent {agent.address} cannot be bound to {instance.ref}: it "
                    f"answered {answer.status}"
                )
        except AgentError as error:
            telemetry.logger.warning(
                "a spare is gone", extra={"instance": instance.instance_id, "error": str(error)}
            )
            failure = Failure.SPARE_GONE.because(str(error))
            for row in spares.both(instance):
                store.mark_stopped(row, failure, self._clock())
            raise AgentGone(str(error)) from error
        if len(self._bound) >= _MOST:
            self._bound.clear()
        self._bound.add(instance.instance_id)
