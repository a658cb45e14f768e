"""DataSync's tasks, which the functions make, so that CloudFormation does not know them."""

from typing import Any

from botocore.exceptions import ClientError


def tasks(dynamodb: Any, syncs: str) -> list[str]:
    """Return the ARNs of the tasks named by the rows of ``syncs``; none without such a table."""
    try:
        found = pages(dynamodb, "scan", TableName=syncs, ProjectionExpression="task_arn")
        return [
            row["task_arn"]["S"] for page in found for row in page["Items"] if "task_arn" in row
        ]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return []
        raise


def described(datasync: Any, task: str) -> Any:
    """Return DataSync's description of a task, or None if it does not exist."""
    try:
        return datasync.describe_task(TaskArn=task)
    except ClientError as error:
        if error.response["Error"]["Code"] == "InvalidRequestException":  # it does not exist
            return None
        raise


def pages(client: Any, operation: str, **parameters: Any) -> Any:
    """Return the pages of an operation's result."""
    return client.get_paginator(operation).paginate(**parameters)
