"""Answers the task token of the state machine that started a task; nobody is told without a token."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.aws import task_tokens
from chalicelib.telemetry import logger

BEAT_EVERY = 20.0
"""Seconds between heartbeats."""


def succeed(token: str, output: Mapping[str, Any]) -> None:
    """Say that it is done."""
    if token and not task_tokens.succeed(token, output):
        logger.info("nobody waits for the task any more")


def fail(token: str, error: str, cause: str) -> None:
    """Say that it is not, and why."""
    if token and not task_tokens.fail(token, error, cause):
        logger.info("nobody waits for the task any more")


def beat(token: str) -> bool:
    """Say that the work goes on; return whether it is still waited for. What goes wrong is logged, since the next beat may get through."""
    try:
        return not token or task_tokens.beat(token)
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
