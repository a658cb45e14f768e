"""What a deployment consists of, decided as data: the steps of putting a stage up and of taking it down. Pure.

A step reads what it needs from what is known by then, and adds what it found out: a stack's outputs, the APIs' ids, the image. Each
can be done again at any time, and then does nothing, or what is still missing: so a deployment that stopped half way is run again.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from infra.aws.errors import DeployError
from infra.aws.settings import Stage
from infra.aws.synth import Template

Known = Mapping[str, str]
"""What has been found out so far, by name: ``Bucket``, ``WebsocketApi``, ``AgentImage``…"""
BEFORE_FUNCTIONS = ("network", "data", "storage", "roles", "functions")
KEPT = ("data", "zone")
"""Stacks that outlive ``make destroy``."""


@dataclass(frozen=True, slots=True)
class LinkedRole:
    """Make the role by which ECS works in this account, if there is none. First of all: it takes a while until ECS may take it on."""

    title: str = "role of ECS in this account"


@dataclass(frozen=True, slots=True)
class Stack:
    """Create or change a CloudFormation stack. Its parameters are known by their names, or have defaults."""

    template: Template

    @property
    def title(self) -> str:
        return f"stack {self.template.stack}"


@dataclass(frozen=True, slots=True)
class Image:
    """Build the tasks' images and push them: ``AgentImage``, ``BuildsImage``."""

    title: str = "images of the tasks"


@dataclass(frozen=True, slots=True)
class Functions:
    """``chalice deploy``, configured from what is known: ``RestApi`` and ``WebsocketApi``. Does nothing when neither code nor
    configuration has changed."""

    title: str = "functions and APIs"


@dataclass(frozen=True, slots=True)
class Tags:
    """Tag what has its tags neither from CloudFormation nor from Chalice: the APIs, and DataSync's tasks of an earlier release."""

    title: str = "tags of the APIs and of DataSync's tasks"


@dataclass(frozen=True, slots=True)
class Triggers:
    """Set what ``chalice deploy`` cannot: which records of a table's stream a function gets, and for how long it is tried; how much the
    APIs let through."""

    title: str = "triggers of the functions, limits of the APIs"


@dataclass(frozen=True, slots=True)
class Secret:
    """Make the secret that CloudFront and the REST API's firewall share, or read it: ``EdgeSecret``."""

    title: str = "secret between CloudFront and the REST API"


@dataclass(frozen=True, slots=True)
class EndWork:
    """End every execution and task: the cluster cannot go while a task runs."""

    title: str = "end what runs"


@dataclass(frozen=True, slots=True)
class EndTransfers:
    """Delete DataSync's tasks, which hold network interfaces, and their locations. When no state machine is left to make another."""

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
    """``chalice delete``."""

    title: str = "delete functions and APIs"


@dataclass(frozen=True, slots=True)
class DeleteSecret:
    """Forget the secret of :class:`Secret`."""

    title: str = "forget the secret between CloudFront and the REST API"


Step = (
    LinkedRole
    | Stack
    | Image
    | Functions
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
    """What does the steps."""

    def do(self, step: Step, known: Known) -> Mapping[str, str]:
        """Do a step; return what is known by it. Raise :class:`DeployError` that says what went wrong and what to do."""


def deployment(stage: Stage, templates: Iterable[Template]) -> list[Step]:
    """Return the steps of ``make deploy``.

    The functions go out twice the first time: what they are told, and may do, names the WebSocket API, which goes out with them.
    """
    by_name = {template.stack.removeprefix(f"{stage.base}-"): template for template in templates}
    first = [Stack(by_name.pop(name)) for name in BEFORE_FUNCTIONS]
    rest = [Stack(template) for template in by_name.values()]
    roles = next(step for step in first if step.template.stack == f"{stage.base}-roles")
    secret = [Secret()] if stage.edge else []
    return [LinkedRole(), *first, Image(), *secret, Functions(), roles, Functions(), Tags(), Triggers(), *rest]


def removal(stage: Stage, templates: Iterable[Template]) -> list[Step]:
    """Return the steps of ``make destroy``: the other way round, but for what is kept.

    Visitors come until the APIs are gone, and what they start runs until the state machines are: so work is ended a second time then.
    """
    stacks = {template.stack.removeprefix(f"{stage.base}-"): template for template in templates}
    gone = [DeleteStack(template.stack, template.region) for name, template in stacks.items() if name not in KEPT]
    before = {f"{stage.base}-{name}" for name in BEFORE_FUNCTIONS}
    last = [step for step in gone if step.stack in before]
    cluster = f"{stage.base}-compute"
    first = [step for step in gone if step.stack not in before and step.stack != cluster]
    compute = [step for step in gone if step.stack == cluster]
    secret = [DeleteSecret()] if stage.edge else []
    return [EndWork(), *reversed(first), EndWork(), EndTransfers(), *compute, DeleteFunctions(), *secret, *reversed(last)]


def run(steps: Iterable[Step], executor: Executor, known: Known, say: Callable[[str], None]) -> dict[str, str]:
    """Do the steps in order; return all that is known at the end.

    The first that fails ends it: :class:`DeployError` says which step that was, and that the same command goes on from there.
    """
    every, so_far = list(steps), dict(known)
    for number, step in enumerate(every, 1):
        say(f"[{number}/{len(every)}] {step.title}")
        try:
            so_far.update(executor.do(step, so_far))
        except DeployError as error:
            raise DeployError(
                f"step {number} of {len(every)}, {step.title}: {error}\nWhat was done stays; run the same command again"
            ) from error
    return so_far
