"""What one Lambda environment keeps between invocations: settings, agents' connections, memory."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from chalicelib import telemetry
from chalicelib.agents.client import AgentClient
from chalicelib.applying.current import Current
from chalicelib.aws.tables import bind
from chalicelib.clock import wall_clock
from chalicelib.configuration.deployment import Settings
from chalicelib.errands.doing import Doer
from chalicelib.identity import signing_in
from chalicelib.lambdas import keep_active
from chalicelib.lambdas.schema import TABLES
from chalicelib.lives import errands as about_instances
from chalicelib.lives import pool
from chalicelib.sessions.connections.passing import Connections
from chalicelib.visits.health import Load
from chalicelib.visits.logging_visits import AccessLogs
from chalicelib.visits.machine_load import MachineLoad
from chalicelib.visits.visit import Visits

if TYPE_CHECKING:
    from chalicelib.visits.by_configuration import ByConfiguration


class Environment:
    """The parts of an environment, each made on first use.

    Packaging imports ``app`` where no deployment's settings exist.
    """

    clock = staticmethod(wall_clock)

    @cached_property
    def settings(self) -> Settings:
        """The deployment's settings. The tables are named by them."""
        settings = Settings.from_environment()
        bind(settings, *TABLES)
        return settings

    @cached_property
    def agents(self) -> AgentClient:
        """Kept-alive connections to agents."""
        return AgentClient()

    @cached_property
    def configuration(self) -> Current:
        """The configuration that holds."""
        return Current(self.settings.bucket)

    @cached_property
    def visits(self) -> Visits:
        """What answers HTTP requests."""
        settings = self.settings
        return Visits(
            self.agents,
            self.clock,
            self.configuration,
            pool.parse(settings.spares),
            settings.most_instances,
            settings.most_held,
            settings.edge_proof,
            lambda: self.by_configuration,
            MachineLoad(self.clock).read if settings.one_machine else Load,
            self.access_logs,
        )

    @cached_property
    def by_configuration(self) -> "ByConfiguration":
        """What carries out the configuration that holds.

        Without a configuration, no environment pays for its import.
        """
        from chalicelib.visits.by_configuration import ByConfiguration

        return ByConfiguration.of(self.settings, self.clock)

    @cached_property
    def access_logs(self) -> AccessLogs:
        """What writes lines of access logs."""
        return AccessLogs(self.configuration, self.clock, self.settings.edge_proof)

    @cached_property
    def connections(self) -> Connections:
        """What answers WebSocket events."""
        return Connections(self.agents, self.clock, self.access_logs.disconnected)

    @cached_property
    def errands(self) -> Doer:
        """What does errands. A kind's rights are in ``infra/declared/errands.py``."""
        return Doer(about_instances.kinds(self.settings, self.clock), self.clock)

    @cached_property
    def sign_ins(self) -> Doer:
        """What checks passwords: no other function may read their hashes."""
        return Doer(signing_in.kinds(self.clock), self.clock)

    def bind(self) -> None:
        """Give the tables their names, unless they have them."""
        _ = self.settings

    def around(self, event: Any, get_response: Callable[[Any], Any]) -> Any:
        """Wrap every invocation.

        An event that only keeps the function active goes no further. For any other, the tables get
        their names before anything reads one.
        """
        if keep_active.is_no_op(event.to_dict()):
            return None
        self.bind()
        return telemetry.around(event, get_response)
