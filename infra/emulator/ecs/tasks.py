"""Fargate tasks on one machine.

A task is a process group with an address of its own, as if it had a network interface.
"""

import asyncio
import os
import secrets
import signal
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from infra.emulator import children
from infra.emulator.ecs.cgroups import ControlGroups, TaskGroup
from infra.emulator.ecs.definition import MakeContainer, RegisteredTask
from infra.emulator.ecs.task_init import descendants
from infra.emulator.ecs.vanish import take_silenced
from infra.emulator.keys import AccessKey
from infra.emulator.settings import REGION, EmulatorSettings, arn

INIT = Path(__file__).with_name("task_init.py")
NETWORK = IPv4Network("127.77.0.0/16")
"""Addresses that functions outside the VPC cannot reach; see lambdas/bootstrap.py."""


def task_addresses() -> Iterator[str]:
    """Yield the addresses of :data:`NETWORK` in an endless cycle, so that reuse comes late.

    The first address is random, so that several stacks on one machine do not collide.
    """
    first, count = int(NETWORK.network_address) + 1, NETWORK.num_addresses - 2
    number = secrets.randbelow(count)
    while True:
        yield str(IPv4Address(first + number))
        number = (number + 1) % count


@dataclass(eq=False)
class Task:
    """One task, from RunTask to an hour after its end."""

    definition: RegisteredTask
    cluster: str
    address: str
    overrides: Mapping[str, Any]
    started_by: str
    group: str
    key: AccessKey
    task_id: str
    secret: str
    """Prefix of the task's own paths at the metadata service."""
    tags: list[Any] = field(default_factory=list)
    execute_command: bool = False
    """Only shown: anyone with access to the machine has a shell."""
    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    stopped_reason: str = ""
    stop_code: str = ""
    exit_code: int | None = None
    version: int = 1
    created_at: float = field(default_factory=time.time)
    started_at: float | None = None
    stopping_at: float | None = None
    stopped_at: float | None = None
    process: asyncio.subprocess.Process | None = None
    vanished: list[socket.socket] | None = None
    """Sockets that the task left behind, if its machine vanished."""
    noticed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when ECS knows that the machine vanished."""
    control_group: TaskGroup | None = None

    @property
    def arn(self) -> str:
        return arn("ecs", f"task/{self.cluster}/{self.task_id}")

    @property
    def cluster_arn(self) -> str:
        return arn("ecs", f"cluster/{self.cluster}")

    @property
    def definition_arn(self) -> str:
        return arn("ecs", f"task-definition/{self.definition.family}:1")

    def document(self, *, iso_times: bool = False) -> dict[str, Any]:
        """Return the task as in ECS's API, or with ``iso_times`` as in its events."""
        container: dict[str, Any] = {
            "containerArn": arn(
                "ecs",
                f"container/{self.cluster}/{self.task_id}/{uuid.uuid5(_CONTAINERS, self.task_id)}",
            ),
            "taskArn": self.arn,
            "name": self.definition.container,
            "lastStatus": self.last_status,
            "networkInterfaces": [
                {"attachmentId": self.task_id, "privateIpv4Address": self.address}
            ],
            "cpu": str(self.definition.cpu),
            "memory": str(self.definition.memory_mb),
        }
        if self.exit_code is not None:
            container["exitCode"] = self.exit_code
        document: dict[str, Any] = {
            "taskArn": self.arn,
            "clusterArn": self.cluster_arn,
            "taskDefinitionArn": self.definition_arn,
            "lastStatus": self.last_status,
            "desiredStatus": self.desired_status,
            "group": self.group,
            "launchType": "FARGATE",
            "platformVersion": "1.4.0",
            "platformFamily": "Linux",
            "connectivity": "CONNECTED",
            "availabilityZone": f"{REGION}a",
            "cpu": str(self.definition.cpu),
            "memory": str(self.definition.memory_mb),
            "overrides": dict(self.overrides),
            "containers": [container],
            "attachments": [
                {
                    "id": self.task_id,
                    "type": "ElasticNetworkInterface",
                    "status": "ATTACHED" if self.last_status != "STOPPED" else "DELETED",
                    "details": [{"name": "privateIPv4Address", "value": self.address}],
                }
            ],
            "enableExecuteCommand": self.execute_command,
            "version": self.version,
            "tags": self.tags,
        }
        if self.started_by:
            document["startedBy"] = self.started_by
        if self.stopped_reason:
            document["stoppedReason"] = self.stopped_reason
        if self.stop_code:
            document["stopCode"] = self.stop_code
        times = {
            "createdAt": self.created_at,
            "startedAt": self.started_at,
            "stoppingAt": self.stopping_at,
            "stoppedAt": self.stopped_at,
        }
        for name, value in times.items():
            if value is not None:
                document[name] = (
                    datetime.fromtimestamp(value, UTC).isoformat() if iso_times else value
                )
        return document


_CONTAINERS = uuid.UUID("0c5a3f5e-6a40-4f6b-9f6e-1f6d4b7b5a10")


class TaskRunner:
    """Starts and ends the processes of tasks, and reports each change of their state."""

    def __init__(
        self,
        settings: EmulatorSettings,
        make_container: MakeContainer,
        changed: Callable[[Task], None],
        ended: Callable[[Task], None],
        groups: ControlGroups | None = None,
    ) -> None:
        """Create the runner.

        ``make_container`` makes a task's container. ``changed`` is called at each new status,
        ``ended`` once after the last. Without ``groups`` tasks have no limits.
        """
        self._groups = groups
        self._settings = settings
        self._make_container = make_container
        self._changed = changed
        self._ended = ended

    async def run(self, task: Task, variables: Mapping[str, str]) -> None:
        """Run the task to its end."""
        self._become(task, "PROVISIONING")
        self._become(task, "PENDING")
        if task.desired_status != "STOPPED":
            try:
                await self._start(task, variables)
            except OSError as error:
                task.desired_status, task.stop_code = "STOPPED", "TaskFailedToStart"
                task.stopped_reason = f"CannotStartContainerError: {error}"
        if task.process is not None:
            task.exit_code = await task.process.wait()
            if task.vanished is not None:
                await task.noticed.wait()
            if task.exit_code < 0:
                task.exit_code = 128 - task.exit_code
            if not task.stop_code:
                task.stop_code, task.stopped_reason = (
                    "EssentialContainerExited",
                    "Essential container in task exited",
                )
        if task.control_group is not None:
            task.control_group.end()
        task.desired_status = "STOPPED"
        task.stopping_at = task.stopping_at or time.time()
        task.stopped_at = time.time()
        self._become(task, "STOPPED")
        self._ended(task)

    async def stop(self, task: Task, reason: str) -> None:
        """Send SIGTERM, and SIGKILL after the stop timeout; return when the task has ended."""
        if task.desired_status == "STOPPED":
            return
        task.desired_status, task.stop_code, task.stopped_reason = (
            "STOPPED",
            "UserInitiated",
            reason,
        )
        task.stopping_at = time.time()
        if task.process is None:
            return
        self._become(task, "STOPPING")
        task.noticed.set()
        await self._end(task, task.definition.stop_timeout_seconds)

    async def kill(self, task: Task) -> None:
        """Kill everything in the task at once."""
        if task.process is not None:
            children.signal_group(task.process, children.HANGUP)
            await task.process.wait()

    async def vanish(self, task: Task) -> None:
        """End everything in the task, as if its machine had lost power.

        No packet leaves its address any more. ECS shows the task as running until it is stopped.
        """
        assert task.process is not None
        pids = [pid for pid in descendants(task.process.pid) if _stopped(pid)]
        task.vanished = take_silenced(pids)
        await self.kill(task)

    async def _end(self, task: Task, patience: float) -> None:
        process = task.process
        assert process is not None
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), patience)
            except TimeoutError:
                await self.kill(task)

    async def _start(self, task: Task, variables: Mapping[str, str]) -> None:
        override = _container_override(task)
        container = self._make_container(
            task.definition, override.get("command") or task.definition.command
        )
        environment = {
            **container.environment,
            # Variables that Fargate sets.
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            "AWS_ENDPOINT_URL": self._settings.endpoint,
            **variables,
            # Variables that the definition and RunTask set.
            **task.definition.environment,
            **{pair["name"]: pair["value"] for pair in override.get("environment", [])},
        }
        log_path = self._settings.logs / f"{task.definition.container}-{task.task_id}.log"
        line = [self._settings.python, "-I", "-S", str(INIT), str(os.getpid()), *container.command]
        if self._groups is not None:
            task.control_group = self._groups.make(task.task_id, task.definition.memory_mb)
            line = task.control_group.command(line)
        with log_path.open("ab") as log:
            task.process = await children.start(
                line,
                environment=environment,
                cwd=container.folder,
                output=log,
                death_signal="HUP",
            )
        task.started_at = time.time()
        self._become(task, "RUNNING")
        if task.desired_status == "STOPPED":  # requested during the start
            await self._end(task, task.definition.stop_timeout_seconds)

    def _become(self, task: Task, status: str) -> None:
        task.last_status = status
        task.version += 1
        self._changed(task)


def _stopped(pid: int) -> bool:
    """Stop a process, so that it opens no further connection; return whether it existed."""
    try:
        os.kill(pid, signal.SIGSTOP)
    except ProcessLookupError:
        return False
    return True


def _container_override(task: Task) -> Mapping[str, Any]:
    for override in task.overrides.get("containerOverrides", []):
        if override.get("name") == task.definition.container:
            return dict(override)
    return {}
