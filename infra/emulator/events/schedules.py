"""EventBridge's schedules, on the stack's clock."""

import asyncio
import json
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from infra.emulator.clock import Clock
from infra.emulator.console import Console
from infra.emulator.gateway.invoker import Invoker
from infra.emulator.settings import ACCOUNT, REGION


@dataclass(frozen=True, slots=True)
class ScheduleTrigger:
    """A function that runs on a schedule."""

    function: str
    next_after: Callable[[float], float | None]
    """Returns the first time of the schedule after a given one, or None if there is none."""


class Schedules:
    """Invokes functions on their schedules."""

    def __init__(
        self, triggers: Iterable[ScheduleTrigger], invoker: Invoker, clock: Clock, console: Console
    ) -> None:
        self._triggers = tuple(triggers)
        self._invoker = invoker
        self._clock = clock
        self._console = console
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start; a rate fires for the first time after one period."""
        for trigger in self._triggers:
            self._tasks.append(asyncio.create_task(self._run(trigger)))

    async def stop(self) -> None:
        """Stop firing."""
        for task in self._tasks:
            task.cancel()

    async def _run(self, trigger: ScheduleTrigger) -> None:
        due = self._clock.time()
        while (following := trigger.next_after(due)) is not None:
            due = following
            await self._clock.sleep(due - self._clock.time())
            event = {
                "version": "0",
                "id": str(uuid.uuid4()),
                "detail-type": "Scheduled Event",
                "source": "aws.events",
                "account": ACCOUNT,
                "time": datetime.fromtimestamp(self._clock.time(), UTC).strftime(
                    "%Y-%m-%dT%H:%M:%SZ"
                ),
                "region": REGION,
                "resources": [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{trigger.function}"],
                "detail": {},
            }
            self._invoker.invoke_event(trigger.function, json.dumps(event).encode())
