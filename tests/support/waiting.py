"""Waiting for a condition, with a limit: never a sleep that hopes."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T | None], within: float = 30.0, what: str = "") -> T:
    """Return the first true value of ``condition``, asked again and again for ``within`` seconds.

    Raises :class:`AssertionError` that names ``what`` was waited for and the last value.
    """
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(
                f"not within {within:g} s: {what or condition!r} (last: {value!r})"
            )
        time.sleep(0.05)


async def eventually(condition: Callable[[], T | None], what: str = "", within: float = 30.0) -> T:
    """Wait like :func:`until` while the event loop goes on."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(
                f"not within {within:g} s: {what or condition!r} (last: {value!r})"
            )
        await asyncio.sleep(0.01)
