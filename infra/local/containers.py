"""The tasks of what is declared, as the emulator takes them, and the containers they run in."""

from collections.abc import Sequence
from pathlib import Path

from infra.declared import ROOTS, Declared, Place
from infra.emulator.ecs import task_mounts
from infra.emulator.ecs.definition import Container, RegisteredTask, TaskMount
from infra.local.image import BuiltImage
from infra.local.settings import LocalSettings

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def task_definitions(declared: Declared, place: Place) -> tuple[RegisteredTask, ...]:
    """Return every declared task definition."""
    return tuple(
        RegisteredTask(
            family=place.name(task.name),
            container=task.container,
            command=task.command,
            environment=task.environment(place),
            cpu=task.cpu,
            memory_mb=task.memory_mb,
            role=task.role,
            role_arn=place.role_arn(task.role),
            stop_timeout_seconds=task.stop_timeout_seconds,
            mounts=tuple(TaskMount(mount.root, mount.write) for mount in task.mounts),
            tags=place.tags,
        )
        for task in declared.task_definitions
    )


class Containers:
    """Makes the containers of tasks: in the image of the settings, or of this machine's parts."""

    def __init__(self, settings: LocalSettings) -> None:
        """Read the image, if there is one, and make the folders of the file system."""
        self._settings = settings
        task_mounts.make_roots(settings.efs, ROOTS)
        self._image = BuiltImage.load(settings.image) if settings.image is not None else None

    def make(self, definition: RegisteredTask, command: Sequence[str]) -> Container:
        """Return what runs ``command`` with the definition's mounts."""
        settings, tree = self._settings, self._settings.tree
        if self._image is not None:
            return Container(
                self._image.command(settings.efs, definition.mounts, command),
                self._image.environment,
                tree,
            )
        line = [settings.python if command[0] == "python" else command[0], *command[1:]]
        if definition.mounts and task_mounts.can_mount():
            line = task_mounts.command(settings.efs, definition.mounts, tree, line)
        variables = {
            "PATH": f"{Path(settings.python).parent}:{_PATH}",
            "LANG": "C.UTF-8",
            "PYTHONPATH": ":".join(
                str(tree / folder) for folder in ("chalice_app", "workers", ".")
            ),
        }
        return Container(line, variables, tree)
