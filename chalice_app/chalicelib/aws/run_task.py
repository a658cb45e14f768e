"""Start a Fargate task for a state machine that waits for it. Runs outside the VPC.

Step Functions cannot do this correctly itself. Its SDK integration ignores ``failures``, by which
ECS says that there is no room; the state machine would take that for a task that says nothing. The
integration that checks ``failures`` (``ecs:runTask``) takes no ``startedBy``, by which an
instance's tasks are found.
"""

import hashlib
from collections.abc import Mapping
from typing import TypedDict

from botocore.exceptions import ClientError

from chalicelib import telemetry
from chalicelib.aws import clients, task_tokens
from chalicelib.configuration.deployment import Settings
from chalicelib.failures import Failure

_CLIENT_TOKEN_CHARACTERS = 64


class RunEvent(TypedDict):
    """The task to start, and the token of the state machine that waits for it."""

    definition: str
    """The task definition's family."""
    container: str
    """The name of its only container."""
    capacity: str
    """The capacity provider: ``FARGATE``, or ``FARGATE_SPOT``."""
    started_by: str
    environment: Mapping[str, str]
    """The task's variables, apart from the task token."""
    token: str
    """The task token.

    The task answers it, or :func:`run` does, with ``NoMachine`` and ECS's reason.
    """


def run(event: RunEvent, settings: Settings) -> None:
    """Start the task.

    The event may come more than once (FACTS H4); one token starts one task (FACTS E1).
    """
    refused = _refused(event, settings)
    if refused is not None:
        telemetry.logger.warning(
            "no machine",
            extra={"task": event["definition"], "for": event["started_by"], "error": refused},
        )
        task_tokens.fail(event["token"], Failure.NO_MACHINE, f"No machine was to be had: {refused}")


def _refused(event: RunEvent, settings: Settings) -> str | None:
    """Start the task; return why ECS refused, or None if it did not."""
    environment = {**event["environment"], "SHEEN_TASK_TOKEN": event["token"]}
    try:
        answer = clients.client("ecs").run_task(
            cluster=settings.cluster,
            taskDefinition=event["definition"],
            capacityProviderStrategy=[{"capacityProvider": event["capacity"], "weight": 1}],
            count=1,
            clientToken=hashlib.sha256(event["token"].encode()).hexdigest()[
                :_CLIENT_TOKEN_CHARACTERS
            ],
            startedBy=event["started_by"],
            propagateTags="TASK_DEFINITION",  # otherwise the task's costs lack the stage's tag
            enableExecuteCommand=settings.execute_command,
            networkConfiguration={
                "awsvpcConfiguration": {
                    "subnets": list(settings.subnets),
                    "securityGroups": [settings.task_security_group],
                    "assignPublicIp": "ENABLED",
                }
            },
            overrides={
                "containerOverrides": [
                    {
                        "name": event["container"],
                        "environment": [
                            {"name": name, "value": value} for name, value in environment.items()
                        ],
                    }
                ]
            },
        )
    except ClientError as error:
        return str(error)
    return str(answer["failures"][0].get("reason")) if answer["failures"] else None
