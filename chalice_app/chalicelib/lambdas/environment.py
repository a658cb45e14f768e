"""What one Lambda environment keeps from one invocation to the next: settings, the agents' connections, what was remembered."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from chalicelib import telemetry
from chalicelib.agents.client import AgentClient
from chalicelib.aws.tables import bind
from chalicelib.clock import wall_clock
from chalicelib.configuration.deployment import Settings
from chalicelib.lambdas import keep_active
from chalicelib.lambdas.schema import TABLES
from chalicelib.lives import pool
from chalicelib.sessions.connections.passing import Connections
from chalicelib.visits.visit import Visits


class Environment:
    """Made when it is first used: packaging imports ``app`` where no deployment's settings are."""

    clock = staticmethod(wall_clock)

    @cached_property
    def settings(self) -> Settings:
        """The deployment's settings; the tables are named after them."""
        settings = Settings.from_environment()
        bind(settings, *TABLES)
        return settings

    @cached_property
    def agents(self) -> AgentClient:
        """Kept-alive connections to agents."""
        return AgentClient()

    @cached_property
    def visits(self) -> Visits:
        """HTTP."""
        settings = self.settings
        return Visits(
            self.agents, self.clock, pool.parse(settings.spares), settings.most_instances, settings.most_held, settings.edge_proof
        )

    @cached_property
    def connections(self) -> Connections:
        """WebSockets."""
        return Connections(self.agents, self.clock)

    def around(self, event: Any, get_response: Callable[[Any], Any]) -> Any:
        """Around every invocation: the tables have their names before anything reads one, and an event that only keeps the function
        active goes no further."""
        if keep_active.is_no_op(event.to_dict()):
            return None
        assert self.settings
        return telemetry.around(event, get_response)
