"""EventBridge's schedules, on the stack's clock."""

import asyncio
import json
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime

from chalicelib.syncs.errors import BadSchedule
from chalicelib.syncs.schedule import Schedule
from infra.local.clock import Clock
from infra.local.console import Console
from infra.local.errors import CannotStart
from infra.local.gateway.invoker import Invoker
from infra.local.lambdas.package import ScheduleTrigger
from infra.local.settings import ACCOUNT, REGION


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
            try:
                schedule = Schedule.parse(trigger.expression)
            except BadSchedule as error:
                raise CannotStart(f"{trigger.function}: {error}") from None
            self._tasks.append(asyncio.create_task(self._run(trigger, schedule)))

    async def stop(self) -> None:
        """Stop firing."""
        for task in self._tasks:
            task.cancel()

    async def _run(self, trigger: ScheduleTrigger, schedule: Schedule) -> None:
        due = self._clock.time()
        while (following := schedule.next_after(due)) is not None:
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
