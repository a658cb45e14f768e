"""The task definitions, and the rights of the tasks."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from chalicelib import layout
from chalicelib.apps.model import App, Version
from chalicelib.bodies.keys import PREFIX as BODIES
from chalicelib.identity.model import Login
from chalicelib.instances.model import Instance
from chalicelib.publishing import scripts
from chalicelib.publishing.model import Bundle
from chalicelib.syncs.definition import OWN_DATA
from chalicelib.syncs.model import Sync
from chalicelib.unix_ids.model import UnixUser
from infra.declared import environments, syncs
from infra.declared import file_system as files
from infra.declared.bucket import BUNDLES, KEPT, OUTCOMES
from infra.declared.file_system import Mount
from infra.declared.logs import APPS, writing
from infra.declared.place import Place
from infra.declared.rights import IamRole, Statement, connections, items, nothing, objects, tokens


class Machine(NamedTuple):
    """CPU and memory of an instance."""

    cpu: int
    """1024 units are one processor."""
    memory_mb: int


MACHINES: Mapping[str, Machine] = {
    "small": Machine(256, 512),
    "medium": Machine(256, 1024),
    "large": Machine(512, 1024),
    "xlarge": Machine(1024, 2048),
    "xxlarge": Machine(1024, 4096),
    "xxxlarge": Machine(2048, 8192),
}
"""By :data:`chalicelib.configuration.app_settings.SIZES`; Fargate offers only certain pairs."""


def agent_of(size: str) -> str:
    """Return the name of the task definition for instances of this size."""
    return f"agent_{size}"


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """What a Fargate task runs, and with how much CPU and memory."""

    name: str
    command: tuple[str, ...]
    environment: Callable[[Place], Mapping[str, str]]
    cpu: int
    memory_mb: int
    stop_timeout_seconds: int = 30
    kind: str = ""
    """The name of its container and of its role; defaults to its own name.

    Task definitions that differ only in size share it.
    """
    statements: Callable[[Place], Iterable[Statement]] = nothing
    """The rights of its role."""
    image: str = "agent"
    """The stage of ``workers/Dockerfile`` that it runs in."""
    mounts: tuple[Mount, ...] = ()
    """Its mounts of the file system; the same for all of its kind."""
    health: tuple[str, ...] = ()
    """Command that checks, inside the container, whether it is healthy.

    It is the ``HEALTHCHECK`` of workers/Dockerfile, which ECS ignores.
    """

    @property
    def container(self) -> str:
        """The name of its one container."""
        return self.kind or self.name

    @property
    def role(self) -> str:
        """The name of its container's role."""
        return f"task-{self.container}"


DROPPED_CAPABILITIES = (
    "AUDIT_WRITE",
    "FSETID",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SYS_CHROOT",
)
"""Capabilities that containers have by default and no task needs.

workers/Dockerfile says what root in the image uses the others for.
"""
HEALTH = ("python3", "-I", "-S", "/usr/local/lib/sheen/workers/agent/health.py")

TASK_EXECUTION_ROLE = "task-execution"
"""The role of ECS when it starts a task: it pulls the image and writes the container's output."""


def run_tasks(place: Place, definitions: Iterable[tuple[str, str]]) -> Iterable[Statement]:
    """Allow running tasks; ``definitions`` holds pairs of a task definition and its role."""
    definitions = tuple(definitions)
    yield Statement(
        "RunTasks",
        ("ecs:RunTask",),
        tuple(f"{place.task_definition_arn(name)}:*" for name, _ in definitions),
        conditions={"ArnEquals": {"ecs:cluster": place.cluster_arn()}},
    )
    yield Statement(
        "TagTasks",
        ("ecs:TagResource",),
        (place.arn("ecs", f"task/{place.cluster}/*"),),
        conditions={"StringEquals": {"ecs:CreateAction": "RunTask"}},
    )
    roles = dict.fromkeys((*(role for _, role in definitions), TASK_EXECUTION_ROLE))
    yield Statement(
        "GiveTasksTheirRoles",
        ("iam:PassRole",),
        tuple(map(place.role_arn, roles)),
        conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
    )


def execution_role(place: Place) -> IamRole:
    """Declare the role by which ECS starts tasks."""
    return IamRole(
        TASK_EXECUTION_ROLE,
        "ecs-tasks.amazonaws.com",
        (
            Statement(
                "RegistryLogin",
                ("ecr:GetAuthorizationToken",),
                ("*",),
                why="the login is the account's: the action takes no resource",
            ),
            Statement(
                "Image",
                (
                    "ecr:BatchCheckLayerAvailability",
                    "ecr:GetDownloadUrlForLayer",
                    "ecr:BatchGetImage",
                ),
                (place.arn("ecr", f"repository/{place.base}"),),
            ),
            Statement(
                "Logs",
                ("logs:CreateLogStream", "logs:PutLogEvents"),
                (place.arn("logs", f"log-group:{task_log_group(place)}:*"),),
            ),
        ),
    )


def task_log_group(place: Place) -> str:
    """Return the log group for the standard streams of tasks."""
    return place.log_group("tasks")


def _agent(place: Place) -> Iterable[Statement]:
    return (
        items(place, App, "GetItem"),
        items(place, Version, "GetItem"),
        items(place, Sync, "GetItem"),
        items(place, UnixUser, "GetItem"),
        items(place, Instance, "GetItem", "UpdateItem"),
        items(place, Login, "BatchGetItem", "UpdateItem"),
        tokens(place, "instance"),
        connections(place),
        objects(
            place,
            BODIES,
            "PutObject",
            "GetObject",
            "DeleteObject",
            "AbortMultipartUpload",
            "ListMultipartUploadParts",
        ),
        writing(place, APPS),
        Statement(
            "Secrets",
            ("secretsmanager:GetSecretValue",),
            (place.arn("secretsmanager", f"secret:{place.base}/*"),),
        ),
        # The operator makes these roles below this path. Each one's trust policy allows this role
        # to assume it.
        Statement("AppRoles", ("sts:AssumeRole",), (place.app_role_arn("*"),)),
    )


def _build(place: Place) -> Iterable[Statement]:
    return (
        items(place, Bundle, "GetItem", "UpdateItem"),
        items(place, App, "GetItem"),
        objects(place, BUNDLES, "GetObject"),
        objects(place, KEPT, "PutObject", "AbortMultipartUpload"),
        objects(place, OUTCOMES, "PutObject"),
        tokens(place, "publish"),
    )


def _script(place: Place) -> Iterable[Statement]:
    return (
        objects(place, OWN_DATA, "PutObject", "AbortMultipartUpload"),
        objects(place, scripts.LOGS, "PutObject"),
        tokens(place, "script"),
    )


TASK_DEFINITIONS = (
    *(
        TaskDefinition(
            agent_of(size),
            ("python", "-m", "agent"),
            environments.agent,
            machine.cpu,
            machine.memory_mb,
            kind="agent",
            statements=_agent,
            mounts=(
                *files.read(layout.APPS, layout.PACKAGES, layout.SYNCS),
                # An app that may write to a sync does so by its own groups, and to a tree by its
                # user.
                *files.write(
                    layout.DATA, layout.BOOKMARKS, layout.HOMES, layout.SYNCED, layout.TREES
                ),
            ),
            health=HEALTH,
        )
        for size, machine in MACHINES.items()
    ),
    TaskDefinition(
        "remove",
        ("python", "-m", "tasks.remove"),
        environments.task,
        cpu=256,
        memory_mb=512,
        statements=lambda place: (tokens(place, "tidy", operations=("Success", "Failure")),),
        mounts=files.write(layout.APPS, layout.DATA, layout.BOOKMARKS),
    ),
    TaskDefinition(
        "build",
        ("python", "-m", "tasks.build"),
        environments.build,
        cpu=2048,
        memory_mb=4096,
        statements=_build,
        image="builds",
        mounts=files.write(layout.APPS, layout.PACKAGES),
    ),
    TaskDefinition(
        "script",
        ("python", "-m", "tasks.script"),
        environments.task,
        cpu=2048,
        memory_mb=4096,
        statements=_script,
        mounts=files.read(layout.APPS, layout.PACKAGES),
    ),
    TaskDefinition(
        "copy",
        ("python", "-m", "tasks.copy"),
        environments.copy,
        cpu=1024,
        memory_mb=2048,
        statements=syncs.copying,
        mounts=files.write(layout.SYNCED, layout.SYNCS),
    ),
)
