"""What the agent tells the state machine, by task token (FACTS E6a)."""

import asyncio
import json
from typing import Any

from chalicelib.aws import client
from chalicelib.errors import SheenError
from chalicelib.task_tokens import TOO_LATE

LONGEST_CAUSE = 30_000
"""Characters; Step Functions takes 32,768."""


class NotAwaited(SheenError):
    """The state machine does not wait for this token (any more)."""


async def ready(token: str, address: str, task_arn: str) -> None:
    """The instance serves its app at ``address``."""
    await _call("send_task_success", taskToken=token, output=json.dumps({"address": address, "task_arn": task_arn}))


async def idle(token: str) -> None:
    """Nobody has been here for ``instance_idle_timeout``."""
    await _call("send_task_success", taskToken=token, output=json.dumps({"idle": True}))


async def failed(token: str, error: str, cause: str) -> None:
    """The instance cannot serve its app; ``error`` is ``AppStartFailed`` or ``AppInitTimeout``."""
    await _call("send_task_failure", taskToken=token, error=error, cause=cause[:LONGEST_CAUSE])


async def beat(token: str) -> None:
    """The agent lives."""
    await _call("send_task_heartbeat", taskToken=token)


async def _call(operation: str, **arguments: Any) -> None:
    """Raise :class:`NotAwaited`, or what boto3 raises when it has tried for long enough."""
    from botocore.exceptions import ClientError

    def call() -> None:
        getattr(client("stepfunctions"), operation)(**arguments)

    try:
        await asyncio.to_thread(call)
    except ClientError as error:
        if error.response["Error"]["Code"].rpartition("#")[2] in TOO_LATE:
            raise NotAwaited(f"{operation}: the state machine does not wait for this token: {error}") from error
        raise
