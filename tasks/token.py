"""Answers the task token of the state machine that started a task."""

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import aws
from chalicelib.telemetry import logger

_LONGEST_ERROR = 256
_LONGEST_CAUSE = 30_000
_TOO_LATE = ("TaskTimedOut", "TaskDoesNotExist", "InvalidToken")
"""What Step Functions says when the task was given up, or another one was faster."""


def succeed(token: str, output: Mapping[str, Any]) -> None:
    """Say that it is done; nobody is told without a token."""
    _answer("send_task_success", token, output=json.dumps(output))


def fail(token: str, error: str, cause: str) -> None:
    """Say that it is not, and why."""
    _answer("send_task_failure", token, error=error[:_LONGEST_ERROR], cause=cause[:_LONGEST_CAUSE])


def _answer(operation: str, token: str, **what: str) -> None:
    if not token:
        return
    try:
        getattr(aws.client("stepfunctions"), operation)(taskToken=token, **what)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _TOO_LATE:
            raise
        logger.info("nobody waits for the task any more", extra={"error": str(error)})
