"""Tasks of the tiny stack."""

from pathlib import Path
from typing import Any

from tests.infra.tiny_process import TinyStack
from tests.support.waiting import until

CLUSTER = "tiny-local"


def run_task(tiny: TinyStack, what: str, **more: Any) -> dict[str, Any]:
    command = ["python", str(tiny.project / "task.py"), what]
    answer: dict[str, Any] = tiny.client("ecs").run_task(
        cluster=CLUSTER,
        taskDefinition="tiny-local-worker",
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
        overrides={
            "containerOverrides": [
                {"name": "worker", "command": command, "environment": [{"name": "A", "value": "b"}]}
            ]
        },
        **more,
    )
    return answer


def run(tiny: TinyStack, what: str, **more: Any) -> dict[str, Any]:
    task: dict[str, Any] = run_task(tiny, what, **more)["tasks"][0]
    return task


def describe(tiny: TinyStack, arn: str) -> dict[str, Any]:
    task: dict[str, Any] = tiny.client("ecs").describe_tasks(cluster=CLUSTER, tasks=[arn])["tasks"][
        0
    ]
    return task


def ended(tiny: TinyStack, arn: str) -> dict[str, Any]:
    return until(
        lambda: (task := describe(tiny, arn))["lastStatus"] == "STOPPED" and task,
        what=f"{arn} to stop",
    )


def log_of(tiny: TinyStack, arn: str) -> Path:
    return tiny.data / "logs" / f"worker-{arn.rpartition('/')[2]}.log"


def said(tiny: TinyStack, arn: str, text: str) -> None:
    until(
        lambda: log_of(tiny, arn).exists() and text in log_of(tiny, arn).read_text(),
        what=f"the task to say {text}",
    )
