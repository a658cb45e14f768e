"""Answer the task token of the state machine that started a task.

Without a token, nobody is told.
"""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.aws import task_tokens
from chalicelib.telemetry import logger

BEAT_EVERY = 20.0
"""Seconds between heartbeats."""


def succeed(token: str, output: Mapping[str, Any]) -> None:
    """Report success."""
    if token and not task_tokens.succeed(token, output):
        logger.info("nobody waits for the task any more")


def fail(token: str, error: str, cause: str) -> None:
    """Report a failure and its cause."""
    if token and not task_tokens.fail(token, error, cause):
        logger.info("nobody waits for the task any more")


def beat(token: str) -> bool:
    """Send a heartbeat; return whether the state machine still waits for the task.

    Errors are logged, because the next heartbeat may get through.
    """
    try:
        return not token or task_tokens.beat(token)
    except Exception as error:
        logger.warning("no heartbeat", extra={"error": str(error)})
        return True


@contextlib.contextmanager
def beating(token: str) -> Iterator[None]:
    """Send heartbeats while the context is open."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(BEAT_EVERY):
            beat(token)

    threading.Thread(target=go_on, daemon=True).start()
    try:
        yield
    finally:
        over.set()
