"""The state machines and their rights."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from infra.declared import syncs
from infra.declared.place import Place
from infra.declared.rights import Statement, invoke, nothing, start

TREE = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class StateMachine:
    """A standard workflow.

    The ``${Name}`` placeholders of its file are replaced like CloudFormation's
    DefinitionSubstitutions.
    """

    name: str
    file: Path
    functions: tuple[str, ...] = ()
    """Functions that it invokes; ``instance_watch`` is ``${InstanceWatchFunction}``, an ARN."""
    tasks: tuple[str, ...] = ()
    """Containers of the tasks that the function ``task_run`` runs for it.

    See :attr:`infra.declared.TaskDefinition.container`.
    """
    statements: Callable[[Place], Iterable[Statement]] = nothing
    """Its rights beside invoking :attr:`functions`."""

    @property
    def role(self) -> str:
        """The name of its role."""
        return f"machine-{self.name}"


def machine_statements(place: Place, machine: StateMachine) -> Iterable[Statement]:
    """Yield all rights of a state machine."""
    if machine.functions:
        yield invoke(place, *machine.functions)
    yield from machine.statements(place)


STATE_MACHINES = (
    StateMachine(
        "instance",
        TREE / "statemachines" / "instance.asl.json",
        ("task_run", "instance_watch", "instance_drain", "instance_stop", "instance_fail"),
        ("agent",),
    ),
    StateMachine(
        "publish",
        TREE / "statemachines" / "publish.asl.json",
        (
            "publish_check",
            "task_run",
            "publish_register",
            "publish_activate",
            "agents_restart",
            "publish_report",
            "publish_reject",
        ),
        ("build",),
        lambda place: (start(place, "tidy"),),
    ),
    StateMachine("script", TREE / "statemachines" / "script.asl.json", ("task_run",), ("script",)),
    StateMachine(
        "sync",
        TREE / "statemachines" / "sync.asl.json",
        ("sync_step", "sync_follow", "task_run"),
        ("copy",),
        syncs.running,
    ),
    StateMachine(
        "tidy",
        TREE / "statemachines" / "tidy.asl.json",
        ("tidy_begin", "task_run", "tidy_finish"),
        ("remove",),
    ),
)
