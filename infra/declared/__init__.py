"""Declare once, as data, what a deployment of Sheen consists of.

That is its tables, bucket, functions, tasks, state machines and rules, and their rights.
``infra/local`` makes the local stack from this declaration and holds every component to its rights.
The stacks of AWS are made from it too. ``chalice_app/app.py`` declares the routes and triggers of
the functions. A :class:`Place` holds what differs between deployments.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from infra.declared import environments
from infra.declared.bucket import BUCKET, BucketRules
from infra.declared.file_system import ROOTS, Mount, Root
from infra.declared.functions import (
    FUNCTIONS,
    FunctionDeclaration,
    StreamReading,
    function_statements,
)
from infra.declared.logs import LOG_GROUPS, LogGroup
from infra.declared.machines import STATE_MACHINES, TREE, StateMachine, machine_statements
from infra.declared.names import camel
from infra.declared.place import Place
from infra.declared.rights import IamRole, Statement, start
from infra.declared.rules import RULES, EventRule
from infra.declared.syncs import TOPICS, Topic, datasync_role
from infra.declared.tables import TABLES, TableDeclaration
from infra.declared.tasks import (
    MACHINES,
    TASK_DEFINITIONS,
    Machine,
    TaskDefinition,
    agent_of,
    execution_role,
)

UNRESERVED = 100
"""Concurrent executions of an account that AWS lets no function reserve."""

__all__ = [
    "DECLARED",
    "MACHINES",
    "ROOTS",
    "TREE",
    "BucketRules",
    "Declared",
    "EventRule",
    "FunctionDeclaration",
    "IamRole",
    "LogGroup",
    "Machine",
    "Mount",
    "Place",
    "Root",
    "StateMachine",
    "Statement",
    "StreamReading",
    "TableDeclaration",
    "TaskDefinition",
    "Topic",
    "admin_environment",
    "agent_of",
]


@dataclass(frozen=True, slots=True)
class Declared:
    """Everything that a deployment consists of."""

    tables: tuple[TableDeclaration, ...]
    task_definitions: tuple[TaskDefinition, ...] = ()
    state_machines: tuple[StateMachine, ...] = ()
    rules: tuple[EventRule, ...] = ()
    log_groups: tuple[LogGroup, ...] = ()
    bucket: BucketRules = field(default_factory=lambda: BucketRules({}))
    functions: tuple[FunctionDeclaration, ...] = ()
    topics: tuple[Topic, ...] = ()
    other_roles: Callable[[Place], tuple[IamRole, ...]] = field(default=lambda _place: ())
    """Roles of services that are not components of this declaration."""
    function_environment: Callable[[Place, bool], Mapping[str, str]] = field(
        default=lambda _place, _in_vpc: {}
    )
    """Variables of every function beside its own, by whether the function is in the VPC."""
    minimum_compression_bytes: int | None = None
    """Size from which the REST API compresses answers for clients that accept it; None disables it.
    """
    packaging_environment: Callable[[Place], Mapping[str, str]] = field(default=lambda _place: {})
    """What the app reads while Chalice packages it."""

    @property
    def images(self) -> tuple[str, ...]:
        """The images that tasks run in, each once; a deployment pushes all of them."""
        return tuple(dict.fromkeys(task.image for task in self.task_definitions))

    def substitutions(self, place: Place, machine: StateMachine) -> dict[str, str]:
        """Return the values of the ``${…}`` placeholders of a state machine.

        The placeholders are ``InstanceCapacity``, ``<Name>TaskDefinition``, ``<Name>Function``,
        ``<Name>StateMachine`` (another state machine), ``Stage``, and ``AgentFamily``, which
        becomes a task definition's name when a size is added.
        """
        return {
            "Stage": place.stage,
            "InstanceCapacity": place.instance_capacity,
            "AgentFamily": place.name(agent_of("")),
            **{
                f"{camel(task.name)}TaskDefinition": place.name(task.name)
                for task in self.task_definitions
            },
            **{
                f"{camel(function)}Function": place.function_arn(function)
                for function in machine.functions
            },
            **{
                f"{camel(other.name)}StateMachine": place.state_machine_arn(other.name)
                for other in self.state_machines
                if other != machine
            },
        }

    @property
    def reserved(self) -> int:
        """Concurrent executions that all functions together reserve, if they do."""
        return sum(function.reserved or 0 for function in self.functions)

    def can_reserve(self, limit: int) -> bool:
        """Return whether an account that runs ``limit`` functions at once can reserve any."""
        return limit >= self.reserved + UNRESERVED

    def environment_of(self, place: Place, function: FunctionDeclaration) -> dict[str, str]:
        """Return all variables of a function."""
        untraced = {} if function.traced else environments.UNTRACED
        return {
            **self.function_environment(place, function.in_vpc),
            **untraced,
            **function.environment(place),
        }

    def mounts(self, place: Place) -> dict[str, tuple[Mount, ...]]:
        """Return the mounts of the file system that each role may use, by the role's name."""
        of_tasks = {task.role: task.mounts for task in self.task_definitions}
        return {**of_tasks, **{role.name: role.mounts for role in self.other_roles(place)}}

    def roles(self, place: Place) -> dict[str, IamRole]:
        """Return every role, by its name.

        Each function, task, state machine and rule has one, and so has ECS, for starting tasks.
        """
        roles = [
            IamRole(
                function.role, "lambda.amazonaws.com", tuple(function_statements(place, function))
            )
            for function in self.functions
        ]
        tasks = {
            task.role: IamRole(task.role, "ecs-tasks.amazonaws.com", tuple(task.statements(place)))
            for task in self.task_definitions
        }
        roles += tasks.values()
        if tasks:
            roles.append(execution_role(place))
        for machine in self.state_machines:
            roles.append(
                IamRole(
                    machine.role, "states.amazonaws.com", tuple(machine_statements(place, machine))
                )
            )
        roles += (
            IamRole(rule.role, "events.amazonaws.com", (start(place, rule.state_machine),))
            for rule in self.rules
        )
        roles += self.other_roles(place)
        return {role.name: role for role in roles}


def admin_environment(place: Place) -> dict[str, str]:
    """Return what the ``sheen`` command needs to know of the deployment."""
    return environments.admin(place)


DECLARED = Declared(
    tables=TABLES,
    task_definitions=TASK_DEFINITIONS,
    state_machines=STATE_MACHINES,
    rules=RULES,
    log_groups=LOG_GROUPS,
    bucket=BUCKET,
    functions=FUNCTIONS,
    topics=TOPICS,
    other_roles=lambda place: (datasync_role(place),),
    function_environment=environments.function,
    packaging_environment=environments.packaging,
    minimum_compression_bytes=1024,  # less than a packet: nothing to gain
)
