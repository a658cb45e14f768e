"""What ECS runs: task definitions, and the containers made of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple


class TaskMount(NamedTuple):
    """A folder of the file system that a task mounts."""

    root: str
    write: bool = False


@dataclass(frozen=True, slots=True)
class RegisteredTask:
    """A registered task definition with one container."""

    family: str
    container: str
    """The name of the container."""
    command: tuple[str, ...]
    environment: Mapping[str, str]
    cpu: int
    memory_mb: int
    role: str
    """The name of the container's role at the guard."""
    role_arn: str
    stop_timeout_seconds: int = 30
    mounts: tuple[TaskMount, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


class Container(NamedTuple):
    """What runs a command as in the task's image."""

    command: Sequence[str]
    environment: Mapping[str, str]
    """The image's own variables."""
    folder: Path
    """The working directory."""


MakeContainer = Callable[[RegisteredTask, Sequence[str]], Container]
"""Makes the container of a task from its definition and its command."""
