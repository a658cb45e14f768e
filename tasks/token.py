"""Answers the task token of the state machine that started a task."""

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import aws
from chalicelib.task_tokens import TOO_LATE
from chalicelib.telemetry import logger

BEAT_EVERY = 20.0
"""Seconds between heartbeats."""
_LONGEST_ERROR = 256
_LONGEST_CAUSE = 30_000


def succeed(token: str, output: Mapping[str, Any]) -> None:
    """Say that it is done; nobody is told without a token."""
    _answer("send_task_success", token, output=json.dumps(output))


def fail(token: str, error: str, cause: str) -> None:
    """Say that it is not, and why."""
    _answer("send_task_failure", token, error=error[:_LONGEST_ERROR], cause=cause[:_LONGEST_CAUSE])


def beat(token: str) -> bool:
    """Say that the work goes on; return whether it is still waited for. What goes wrong is logged, since the next beat may get through."""
    try:
        return _answer("send_task_heartbeat", token)
    except Exception as error:
        logger.warning("no heartbeat", extra={"error": str(error)})
        return True


@contextlib.contextmanager
def beating(token: str) -> Iterator[None]:
    """Beat as long as this is open."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(BEAT_EVERY):
            beat(token)

    threading.Thread(target=go_on, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _answer(operation: str, token: str, **what: str) -> bool:
    """Return whether anybody waited for it."""
    if not token:
        return True
    try:
        getattr(aws.client("stepfunctions"), operation)(taskToken=token, **what)
    except ClientError as error:
        if error.response["Error"]["Code"] not in TOO_LATE:
            raise
        logger.info("nobody waits for the task any more", extra={"error": str(error)})
        return False
    return True
