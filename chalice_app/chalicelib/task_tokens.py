"""Says to a state machine, by its task token, that what it waits for has failed (FACTS E6a). Outside the VPC."""

from botocore.exceptions import ClientError

from chalicelib import aws

TOO_LATE = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})
"""What Step Functions says when the task was given up, or another answer was faster."""
_LONGEST_CAUSE = 1000


def fail(token: str, error: str, cause: str) -> None:
    """Answer the token; nothing when it was answered before, or is waited for no longer."""
    try:
        aws.client("stepfunctions").send_task_failure(taskToken=token, error=error, cause=cause[:_LONGEST_CAUSE])
    except ClientError as refused:
        if refused.response["Error"]["Code"] not in TOO_LATE:
            raise
