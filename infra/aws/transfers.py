"""DataSync's tasks of a deployment, which its functions make: CloudFormation does not know them."""

from typing import Any

from botocore.exceptions import ClientError


def tasks(dynamodb: Any, syncs: str) -> list[str]:
    """Return the ARNs of the tasks that the rows of the table ``syncs`` name; none when there is no such table."""
    try:
        found = pages(dynamodb, "scan", TableName=syncs, ProjectionExpression="task_arn")
        return [row["task_arn"]["S"] for page in found for row in page["Items"] if "task_arn" in row]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return []
        raise


def described(datasync: Any, task: str) -> Any:
    """Return what DataSync says of a task; None when it is not there."""
    try:
        return datasync.describe_task(TaskArn=task)
    except ClientError as error:
        if error.response["Error"]["Code"] == "InvalidRequestException":  # it is not there
            return None
        raise


def pages(client: Any, operation: str, **parameters: Any) -> Any:
    """Return the pages of an operation's answer."""
    return client.get_paginator(operation).paginate(**parameters)
