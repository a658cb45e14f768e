"""Waiting for a condition, with a limit: never a sleep that hopes."""

import asyncio
import time
from collections.abc import Awaitable, Callable
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


async def asked(ask: Callable[[], Awaitable[T]], wanted: Callable[[T], bool]) -> T:
    """Ask again and again; return the first answer that is ``wanted``."""
    async with asyncio.timeout(30):
        while True:
            answer = await ask()
            if wanted(answer):
                return answer
            await asyncio.sleep(0.05)


async def settled(value: Callable[[], T], still: float = 0.3, within: float = 30.0) -> T:
    """Return a value that has not changed for ``still`` seconds."""
    last = value()
    async with asyncio.timeout(within):
        while True:
            await asyncio.sleep(still)
            now = value()
            if now == last:
                return now
            last = now
