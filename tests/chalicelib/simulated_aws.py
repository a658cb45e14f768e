"""ECS, Step Functions and ``@connections`` as values, for tests of what comes of any order of
events: nothing happens by itself.

Every method is named as boto3's; one object stands for all clients.
"""

# ruff: noqa: N803

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.instances.model import InstanceRef


@dataclass
class SimulatedTask:
    arn: str
    instance: str
    token: str
    started_by: str
    created_at: float
    running: bool = True

    def detail(self) -> dict[str, Any]:
        """As DescribeTasks shows it, and EventBridge."""
        environment = [
            {"name": "SHEEN_INSTANCE", "value": self.instance},
            {"name": "SHEEN_TASK_TOKEN", "value": self.token},
        ]
        return {
            "taskArn": self.arn,
            "clusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/sheen-test",
            "createdAt": datetime.fromtimestamp(self.created_at, UTC),
            "overrides": {"containerOverrides": [{"name": "agent", "environment": environment}]},
            "containers": [{"name": "agent", "exitCode": 137}],
            "stoppedReason": "Essential container in task exited",
        }


@dataclass
class Execution:
    name: str
    input: dict[str, Any]
    running: bool = True


@dataclass
class SimulatedAws:
    now: float = 1_800_000_000.0
    tasks: dict[str, SimulatedTask] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    posted: list[tuple[str, bytes]] = field(default_factory=list)
    failed_tokens: list[tuple[str, str]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def client(self, service: str, endpoint_url: str | None = None) -> "SimulatedAws":
        return self

    def clock(self) -> float:
        return self.now

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> None:
        if name in self.executions:
            raise refusal("ExecutionAlreadyExists")
        self.executions[name] = Execution(name, json.loads(input))

    def stop_execution(self, *, executionArn: str, error: str, cause: str) -> None:
        execution = self.executions.get(executionArn.rpartition(":")[2])
        if execution is None:
            raise refusal("ExecutionDoesNotExist")
        execution.running = False

    def send_task_failure(self, *, taskToken: str, error: str, cause: str) -> None:
        self.failed_tokens.append((taskToken, error))

    def run_task_of(self, ref: InstanceRef, token: str) -> SimulatedTask:
        task = SimulatedTask(
            f"task/{next(self.numbers)}", str(ref), token, ref.instance_id, self.now
        )
        self.tasks[task.arn] = task
        return task

    def list_tasks(
        self, *, cluster: str, desiredStatus: str = "RUNNING", startedBy: str | None = None
    ) -> dict[str, Any]:
        return {
            "taskArns": [
                task.arn
                for task in self.tasks.values()
                if task.running and startedBy in (None, task.started_by)
            ]
        }

    def describe_tasks(self, *, cluster: str, tasks: list[str]) -> dict[str, Any]:
        return {"tasks": [self.tasks[arn].detail() for arn in tasks]}

    def stop_task(self, *, cluster: str, task: str, reason: str) -> None:
        if not self.tasks[task].running:
            raise refusal("InvalidParameterException")
        self.tasks[task].running = False

    def list_executions(self, *, stateMachineArn: str, statusFilter: str) -> dict[str, Any]:
        assert statusFilter == "RUNNING"
        return {
            "executions": [
                {"name": execution.name}
                for execution in self.executions.values()
                if execution.running
            ]
        }

    def get_paginator(self, operation: str) -> Any:
        one_page = getattr(self, operation)

        class Pages:
            @staticmethod
            def paginate(**arguments: Any) -> Iterator[Any]:
                yield one_page(**arguments)

        return Pages()

    def post_to_connection(self, *, ConnectionId: str, Data: bytes) -> None:
        self.posted.append((ConnectionId, Data))

    def delete_connection(self, *, ConnectionId: str) -> None:
        pass

    def running_tasks(self) -> list[str]:
        return [task.arn for task in self.tasks.values() if task.running]


def refusal(code: str) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": 400}}, ""
    )
