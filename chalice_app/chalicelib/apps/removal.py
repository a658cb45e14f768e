"""Starts the task that removes files of apps from EFS: a Lambda has none. Runs outside the VPC."""

from chalicelib import aws, telemetry
from chalicelib.errors import SheenError
from chalicelib.settings import Settings

TASK = "remove"
"""The task definition, and its container."""


class CannotRemove(SheenError):
    """ECS started no task."""


def remove_files(what: str, settings: Settings) -> None:
    """Remove the files of an app, with its data (``<app_id>``), or of one version (``<app_id>/<version>``). Done twice it is done once."""
    answer = aws.client("ecs").run_task(
        cluster=settings.cluster,
        taskDefinition=settings.table_prefix + TASK,
        launchType="FARGATE",
        count=1,
        networkConfiguration={
            "awsvpcConfiguration": {
                "subnets": settings.subnets.split(","),
                "securityGroups": [settings.task_security_group],
                "assignPublicIp": "ENABLED",
            }
        },
        overrides={"containerOverrides": [{"name": TASK, "environment": [{"name": "SHEEN_REMOVE", "value": what}]}]},
    )
    if answer.get("failures"):
        raise CannotRemove(f"no task was started that removes {what}: {answer['failures'][0].get('reason')}; try again later")
    telemetry.logger.info("removes files", extra={"what": what})
