"""The agent's reports to the state machine, by task token (FACTS E6a)."""

import asyncio
from collections.abc import Callable
from typing import Any

from chalicelib.aws import task_tokens
from chalicelib.errors import Conflict
from chalicelib.failures import Failure


class NotAwaited(Conflict):
    """The state machine does not wait for this token, or no longer does."""


async def ready(token: str, address: str, task_arn: str) -> None:
    """Report that the instance serves its app at ``address``."""
    await _tell(task_tokens.succeed, token, {"address": address, "task_arn": task_arn})


async def idle(token: str) -> None:
    """Report that the instance has been unused for ``instance_idle_timeout``."""
    await _tell(task_tokens.succeed, token, {"idle": True})


async def failed(token: str, error: Failure, cause: str) -> None:
    """Report that the instance cannot serve its app."""
    await _tell(task_tokens.fail, token, error, cause)


async def beat(token: str) -> None:
    """Report that the agent is alive."""
    await _tell(task_tokens.beat, token)


async def _tell(say: Callable[..., bool], token: str, *what: Any) -> None:
    """Send a report.

    Raise :class:`NotAwaited`, or boto3's error after its retries.
    """
    if not await asyncio.to_thread(say, token, *what):
        raise NotAwaited(
            f"the state machine does not wait for this token: {say.__name__} came too late"
        )
