"""The state machines, and what they may do."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from infra.declared import syncs
from infra.declared.place import Place
from infra.declared.rights import Statement, invoke, nothing, start
from infra.declared.tasks import run_tasks

TREE = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class StateMachine:
    """A standard workflow. Its file's ``${Name}`` are replaced as CloudFormation's DefinitionSubstitutions do."""

    name: str
    file: Path
    functions: tuple[str, ...] = ()
    """Functions that it invokes: ``instance_watch`` is ``${InstanceWatchFunction}``, an ARN."""
    tasks: tuple[str, ...] = ()
    """Containers (:attr:`infra.declared.TaskDefinition.container`) of the tasks that it runs."""
    statements: Callable[[Place], Iterable[Statement]] = nothing
    """What it may do beside invoking :attr:`functions` and running :attr:`tasks`."""

    @property
    def role(self) -> str:
        """The name of its role."""
        return f"machine-{self.name}"


def machine_statements(place: Place, machine: StateMachine, definitions: Iterable[tuple[str, str]]) -> Iterable[Statement]:
    """Yield all that a machine may do; ``definitions`` are the task definitions that it runs, each with its role."""
    if machine.functions:
        yield invoke(place, *machine.functions)
    definitions = tuple(definitions)
    if definitions:
        yield from run_tasks(place, definitions)
    yield from machine.statements(place)


STATE_MACHINES = (
    StateMachine(
        "instance",
        TREE / "statemachines" / "instance.asl.json",
        ("instance_watch", "instance_drain", "instance_stop", "instance_fail"),
        ("agent",),
    ),
    StateMachine(
        "publish",
        TREE / "statemachines" / "publish.asl.json",
        ("publish_check", "publish_register", "publish_activate", "agents_restart", "publish_report", "publish_reject"),
        ("build",),
        lambda place: (start(place, "tidy"),),
    ),
    StateMachine("script", TREE / "statemachines" / "script.asl.json", tasks=("script",)),
    StateMachine("sync", TREE / "statemachines" / "sync.asl.json", ("sync_step", "sync_follow"), ("copy",), syncs.running),
    StateMachine("tidy", TREE / "statemachines" / "tidy.asl.json", ("tidy_begin", "tidy_finish"), ("remove",)),
)
