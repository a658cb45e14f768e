"""Wait for a function no longer than API Gateway does."""

from __future__ import annotations

import asyncio

from infra.emulator.gateway.invoker import Invocation, Invoker, TimedOut

_RUNNING: set[asyncio.Task[Invocation]] = set()


def _finished(task: asyncio.Task[Invocation]) -> None:
    _RUNNING.discard(task)
    if not task.cancelled():
        task.exception()  # nobody may be waiting for it any more


async def invoke_within(
    invoker: Invoker, function: str, event: bytes, seconds: float
) -> Invocation:
    """Return the function's answer.

    Raise TimedOut after that many seconds, or Refused. After a timeout, the function continues to
    run.
    """
    task = asyncio.ensure_future(invoker.invoke(function, event))
    _RUNNING.add(task)
    task.add_done_callback(_finished)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if not done:
        raise TimedOut(f"{function}: no answer in {seconds:g} s")
    return task.result()
