"""Answer the state machine that waits for a task token (FACTS E6a). Runs outside the VPC.

Each call returns whether a state machine still waited. None does if the task was given up, or if
another answer was faster.
"""

import json
from collections.abc import Mapping
from typing import Any

from chalicelib.aws import clients

_TOO_LATE = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})
_LONGEST_ERROR = 256
_LONGEST_CAUSE = 30_000
"""Characters. Step Functions takes 32,768."""


def succeed(token: str, output: Mapping[str, Any]) -> bool:
    """Report success, with the output."""
    return _answer("send_task_success", token, output=json.dumps(output))


def fail(token: str, error: str, cause: str) -> bool:
    """Report failure, with the error and its cause."""
    return _answer(
        "send_task_failure", token, error=error[:_LONGEST_ERROR], cause=cause[:_LONGEST_CAUSE]
    )


def beat(token: str) -> bool:
    """Report that the work goes on."""
    return _answer("send_task_heartbeat", token)


def _answer(operation: str, token: str, **what: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        getattr(clients.client("stepfunctions"), operation)(taskToken=token, **what)
    except ClientError as error:
        if error.response["Error"]["Code"].rpartition("#")[2] in _TOO_LATE:
            return False
        raise
    return True
