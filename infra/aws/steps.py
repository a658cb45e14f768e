"""The steps of putting a stage up and of taking it down, decided as data.

A step reads what earlier steps found out and adds its own findings: a stack's outputs, the APIs'
ids, the image. A step can run again at any time; then it does nothing, or only what is still
missing. A deployment that stopped half way is therefore run again. This module is pure.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from infra.aws.errors import DeployError
from infra.aws.settings import Stage
from infra.aws.synth import StackTemplate

Known = Mapping[str, str]
"""Values found out so far, by name: ``Bucket``, ``WebsocketApi``, ``AgentImage``, …"""
BEFORE_FUNCTIONS = ("network", "data", "storage", "roles", "functions")
KEPT = ("data", "zone")
"""Stacks that outlive ``make destroy``."""


@dataclass(frozen=True, slots=True)
class LinkedRole:
    """Make the role by which ECS works in this account, if there is none.

    This is the first step, because ECS can assume a new role only after a while.
    """

    title: str = "role of ECS in this account"


@dataclass(frozen=True, slots=True)
class DeployStack:
    """Create or change a CloudFormation stack.

    Each of its parameters is a known value of the same name, or has a default.
    """

    template: StackTemplate

    @property
    def title(self) -> str:
        return f"stack {self.template.stack}"


@dataclass(frozen=True, slots=True)
class PushImage:
    """Build the tasks' images and push them: ``AgentImage``, ``BuildsImage``."""

    title: str = "images of the tasks"


@dataclass(frozen=True, slots=True)
class DeployFunctions:
    """Run ``chalice deploy``, configured from known values; finds ``RestApi`` and ``WebsocketApi``.

    This does nothing if neither code nor configuration has changed.
    """

    title: str = "functions and APIs"


@dataclass(frozen=True, slots=True)
class Tags:
    """Tag what neither CloudFormation nor Chalice tags.

    These are the APIs, and DataSync's tasks of an earlier release.
    """

    title: str = "tags of the APIs and of DataSync's tasks"


@dataclass(frozen=True, slots=True)
class Triggers:
    """Set what ``chalice deploy`` cannot set.

    That is which records of a table's stream a function gets and for how long they are retried, and
    the rates that the APIs accept.
    """

    title: str = "triggers of the functions, limits of the APIs"


@dataclass(frozen=True, slots=True)
class Secret:
    """Make or read the secret shared by CloudFront and the REST API's firewall: ``EdgeSecret``."""

    title: str = "secret between CloudFront and the REST API"


@dataclass(frozen=True, slots=True)
class EndWork:
    """End every execution and task; the cluster cannot be deleted while a task runs."""

    title: str = "end what runs"


@dataclass(frozen=True, slots=True)
class EndTransfers:
    """Delete DataSync's tasks, which hold network interfaces, and their locations.

    This happens when no state machine is left that could make new ones.
    """

    title: str = "delete the tasks of DataSync"


@dataclass(frozen=True, slots=True)
class DeleteStack:
    """Delete a CloudFormation stack."""

    stack: str
    region: str

    @property
    def title(self) -> str:
        return f"delete stack {self.stack}"


@dataclass(frozen=True, slots=True)
class DeleteFunctions:
    """Run ``chalice delete``."""

    title: str = "delete functions and APIs"


@dataclass(frozen=True, slots=True)
class DeleteSecret:
    """Delete the secret of :class:`Secret`."""

    title: str = "forget the secret between CloudFront and the REST API"


Step = (
    LinkedRole
    | DeployStack
    | PushImage
    | DeployFunctions
    | Tags
    | Triggers
    | Secret
    | EndWork
    | EndTransfers
    | DeleteStack
    | DeleteFunctions
    | DeleteSecret
)


class Executor(Protocol):
    """Carries out the steps."""

    def do(self, step: Step, known: Known) -> Mapping[str, str]:
        """Carry out a step and return what it found out.

        Raise :class:`DeployError` that says what went wrong and what to do.
        """


def deployment(stage: Stage, templates: Iterable[StackTemplate]) -> list[Step]:
    """Return the steps of ``make deploy``.

    The first deployment deploys the functions twice. Their environment and rights name the
    WebSocket API, which is deployed together with them.
    """
    by_name = {template.stack.removeprefix(f"{stage.base}-"): template for template in templates}
    first = [DeployStack(by_name.pop(name)) for name in BEFORE_FUNCTIONS]
    rest = [DeployStack(template) for template in by_name.values()]
    roles = next(step for step in first if step.template.stack == f"{stage.base}-roles")
    secret = [Secret()] if stage.edge else []
    return [
        LinkedRole(),
        *first,
        PushImage(),
        *secret,
        DeployFunctions(),
        roles,
        DeployFunctions(),
        Tags(),
        Triggers(),
        *rest,
    ]


def removal(stage: Stage, templates: Iterable[StackTemplate]) -> list[Step]:
    """Return the steps of ``make destroy``: a deployment in reverse, except for what is kept.

    Visitors can come until the APIs are deleted, and what they start can run until the state
    machines are deleted. Work is therefore ended a second time after that.
    """
    stacks = {template.stack.removeprefix(f"{stage.base}-"): template for template in templates}
    gone = [
        DeleteStack(template.stack, template.region)
        for name, template in stacks.items()
        if name not in KEPT
    ]
    before = {f"{stage.base}-{name}" for name in BEFORE_FUNCTIONS}
    last = [step for step in gone if step.stack in before]
    cluster = f"{stage.base}-compute"
    first = [step for step in gone if step.stack not in before and step.stack != cluster]
    compute = [step for step in gone if step.stack == cluster]
    secret = [DeleteSecret()] if stage.edge else []
    return [
        EndWork(),
        *reversed(first),
        EndWork(),
        EndTransfers(),
        *compute,
        DeleteFunctions(),
        *secret,
        *reversed(last),
    ]


def run(
    steps: Iterable[Step], executor: Executor, known: Known, say: Callable[[str], None]
) -> dict[str, str]:
    """Carry out the steps in order; return all known values at the end.

    The first step that fails ends the run. The :class:`DeployError` names the step and says that
    the same command continues from there.
    """
    every, so_far = list(steps), dict(known)
    for number, step in enumerate(every, 1):
        say(f"[{number}/{len(every)}] {step.title}")
        try:
            so_far.update(executor.do(step, so_far))
        except DeployError as error:
            raise DeployError(
                f"step {number} of {len(every)}, {step.title}: {error}\nWhat was done "
                "stays; run the same command again"
            ) from error
    return so_far
