"""ECS's API with its rules and errors (FACTS E1).

It has RunTask, StopTask, DescribeTasks and ListTasks.
"""

import asyncio
import json
import secrets
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiohttp import web

from infra.emulator.aws_errors import AwsError
from infra.emulator.counters import Counters
from infra.emulator.ecs.cgroups import ControlGroups
from infra.emulator.ecs.definition import MakeContainer, RegisteredTask
from infra.emulator.ecs.task_metadata import TaskMetadata
from infra.emulator.ecs.tasks import Task, TaskRunner, task_addresses
from infra.emulator.events.bus import EventBus
from infra.emulator.keys import AccessKey, Keys
from infra.emulator.settings import EmulatorSettings

CLIENT_TOKEN_CHARACTERS = 64
STARTED_BY_CHARACTERS = 128
OVERRIDES_CHARACTERS = 8192
MOST_TASKS_AT_ONCE = 10
STOPPED_SHOWN_SECONDS = 3600
NO_CAPACITY = (
    "Capacity is unavailable at this time. Please try again later or in a different "
    "availability zone"
)


class Ecs:
    """The tasks of the cluster."""

    def __init__(
        self,
        settings: EmulatorSettings,
        cluster: str,
        definitions: Iterable[RegisteredTask],
        make_container: MakeContainer,
        keys: Keys,
        counters: Counters,
        metadata: TaskMetadata,
        bus: EventBus,
        no_capacity: Callable[[int], bool],
        groups: ControlGroups | None = None,
    ) -> None:
        """Create the service.

        ``definitions`` are registered, and ``make_container`` makes the container of a task.
        ``groups`` limit tasks to their sizes. ``no_capacity`` is called at each RunTask with its
        number, from 1, and returns whether there is no room for a task.
        """
        self._cluster = cluster
        self._definitions = {definition.family: definition for definition in definitions}
        self._keys = keys
        self._counters = counters
        self._metadata = metadata
        self._bus = bus
        self._no_capacity = no_capacity
        self._calls = 0
        self._runner = TaskRunner(settings, make_container, self._changed, self._ended, groups)
        self._tasks: dict[str, Task] = {}
        self._by_client_token: dict[str, list[Task]] = {}
        self._addresses = task_addresses()
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def handle(
        self, _request: web.Request, operation: str, body: bytes, _key: AccessKey
    ) -> web.Response | None:
        """Answer an operation on tasks; moto answers the rest."""
        parameters: dict[str, Any] = json.loads(body or b"{}")
        match operation:
            case "RunTask":
                document = self._run_task(parameters)
            case "StopTask":
                document = self._stop_task(parameters)
            case "DescribeTasks":
                document = self._describe_tasks(parameters)
            case "ListTasks":
                document = self._list_tasks(parameters)
            case _:
                return None
        return web.json_response(document, content_type="application/x-amz-json-1.1")

    def role_of(self, task_id: str) -> str | None:
        """Return the name of a task's role, or None if there is no such task."""
        task = self._tasks.get(task_id)
        return task.definition.role if task is not None else None

    async def vanish(self, name: str) -> dict[str, object]:
        """Let a task's machine vanish silently; ``name`` is the task's id or ARN.

        Raise ValueError if the task is not running.
        """
        task = self._find(name)
        if task is None or task.last_status != "RUNNING" or task.vanished is not None:
            raise ValueError(f"vanish: task {name!r} does not run")
        await self._runner.vanish(task)
        assert task.vanished is not None
        return {"task": task.arn, "sockets": len(task.vanished)}

    async def stop(self) -> None:
        """Kill all tasks."""
        self._stopping = True
        await asyncio.gather(
            *(
                self._runner.kill(task)
                for task in self._tasks.values()
                if task.last_status != "STOPPED"
            )
        )
        for running in list(self._running):
            running.cancel()

    def _run_task(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self._check_cluster(parameters)
        definition = self._definition(parameters.get("taskDefinition", ""))
        count, token = parameters.get("count", 1), parameters.get("clientToken", "")
        if not 1 <= count <= MOST_TASKS_AT_ONCE:
            raise AwsError("InvalidParameterException", f"count must be 1 to {MOST_TASKS_AT_ONCE}.")
        if len(token) > CLIENT_TOKEN_CHARACTERS:
            raise AwsError(
                "InvalidParameterException",
                f"clientToken is longer than {CLIENT_TOKEN_CHARACTERS} characters.",
            )
        if len(parameters.get("startedBy", "")) > STARTED_BY_CHARACTERS:
            raise AwsError(
                "InvalidParameterException",
                f"startedBy is longer than {STARTED_BY_CHARACTERS} characters.",
            )
        if parameters.get("propagateTags", "NONE") not in ("NONE", "TASK_DEFINITION"):
            raise AwsError(
                "InvalidParameterException",
                "A task that no service runs has tags of its task definition, or none.",
            )
        if len(json.dumps(parameters.get("overrides", {}))) > OVERRIDES_CHARACTERS:
            raise AwsError(
                "InvalidParameterException",
                f"Overrides are longer than {OVERRIDES_CHARACTERS} characters.",
            )
        network = parameters.get("networkConfiguration", {}).get("awsvpcConfiguration", {})
        if not network.get("subnets"):
            raise AwsError(
                "InvalidParameterException",
                "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
            )
        for override in parameters.get("overrides", {}).get("containerOverrides", []):
            if override.get("name") != definition.container:
                raise AwsError(
                    "InvalidParameterException",
                    f"Override for container named {override.get('name')} is not a "
                    "container in the TaskDefinition.",
                )
        if token and (first := self._by_client_token.get(token)):
            return {"tasks": [task.document() for task in first], "failures": []}
        self._calls += 1
        if self._no_capacity(self._calls):
            return {"tasks": [], "failures": [{"reason": NO_CAPACITY}] * count}
        tasks = [self._new_task(definition, parameters) for _ in range(count)]
        if token:
            self._by_client_token[token] = tasks
        return {"tasks": [task.document() for task in tasks], "failures": []}

    def _new_task(self, definition: RegisteredTask, parameters: Mapping[str, Any]) -> Task:
        self._forget_old()
        task_id = uuid.uuid4().hex
        task = Task(
            definition=definition,
            cluster=self._cluster,
            address=next(self._addresses),
            overrides={
                "containerOverrides": [],
                "inferenceAcceleratorOverrides": [],
                **parameters.get("overrides", {}),
            },
            started_by=parameters.get("startedBy", ""),
            group=parameters.get("group") or f"family:{definition.family}",
            key=self._keys.temporary(f"task:{task_id}"),
            task_id=task_id,
            secret=secrets.token_urlsafe(24),
            tags=[*parameters.get("tags", []), *_propagated(definition, parameters)],
            execute_command=parameters.get("enableExecuteCommand", False),
        )
        self._tasks[task_id] = task
        self._counters.run_tasks += 1
        running = asyncio.create_task(self._runner.run(task, self._metadata.admit(task)))
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        return task

    def _stop_task(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self._check_cluster(parameters)
        task = self._find(parameters.get("task", ""))
        if task is None:
            raise AwsError("InvalidParameterException", "The referenced task was not found.")
        stopping = asyncio.create_task(
            self._runner.stop(task, parameters.get("reason") or "Task stopped by user")
        )
        self._running.add(stopping)
        stopping.add_done_callback(self._running.discard)
        return {"task": {**task.document(), "desiredStatus": "STOPPED"}}

    def _describe_tasks(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self._check_cluster(parameters)
        tasks, failures = [], []
        for name in parameters.get("tasks", []):
            task = self._find(name)
            if task is None:
                failures.append({"arn": name, "reason": "MISSING"})
            else:
                tasks.append(task.document())
        return {"tasks": tasks, "failures": failures}

    def _list_tasks(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self._check_cluster(parameters)
        wanted = parameters.get("desiredStatus", "RUNNING")
        family = parameters.get("family")
        if "startedBy" in parameters and parameters.keys() & {
            "family",
            "desiredStatus",
            "serviceName",
            "launchType",
            "containerInstance",
        }:
            raise AwsError(
                "InvalidParameterException", "startedBy cannot be combined with any other filter."
            )
        arns = [
            task.arn
            for task in self._tasks.values()
            if task.desired_status == wanted
            and parameters.get("startedBy", task.started_by) == task.started_by
            and (family is None or family == task.definition.family)
        ]
        return {"taskArns": arns}

    def _check_cluster(self, parameters: Mapping[str, Any]) -> None:
        if parameters.get("cluster", "default").rpartition("/")[2] != self._cluster:
            raise AwsError("ClusterNotFoundException", "Cluster not found.")

    def _definition(self, name: str) -> RegisteredTask:
        family = name.rpartition("/")[2].partition(":")[0]
        try:
            return self._definitions[family]
        except KeyError:
            raise AwsError("ClientException", "Unable to find task definition.") from None

    def _find(self, name: str) -> Task | None:
        return self._tasks.get(name.rpartition("/")[2])

    def _changed(self, task: Task) -> None:
        if not self._stopping:
            self._bus.publish(
                "aws.ecs",
                "ECS Task State Change",
                task.document(iso_times=True),
                resources=[task.arn],
            )

    def _ended(self, task: Task) -> None:
        self._keys.revoke(task.key)
        self._metadata.dismiss(task)

    def _forget_old(self) -> None:
        too_old = time.time() - STOPPED_SHOWN_SECONDS
        for task_id, task in list(self._tasks.items()):
            if task.stopped_at is not None and task.stopped_at < too_old:
                del self._tasks[task_id]
        for token, tasks in list(self._by_client_token.items()):
            if all(task.task_id not in self._tasks for task in tasks):
                del self._by_client_token[token]


def _propagated(definition: RegisteredTask, parameters: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the task definition's tags, which the task takes over if the caller asks for them."""
    if parameters.get("propagateTags") != "TASK_DEFINITION":
        return []
    return [{"key": name, "value": value} for name, value in definition.tags.items()]
