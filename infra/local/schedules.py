"""EventBridge schedules of the ``rate(…)`` kind, on the stack's clock."""

import asyncio
import json
import re
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime

from infra.local.clock import Clock
from infra.local.console import Console
from infra.local.gateway.invoker import Invoker
from infra.local.lambdas.package import ScheduleTrigger
from infra.local.settings import ACCOUNT, REGION

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}


class Schedules:
    """Invokes functions at their rate. ``cron(…)`` does not fire here, and that is said."""

    def __init__(self, triggers: Iterable[ScheduleTrigger], invoker: Invoker, clock: Clock, console: Console) -> None:
        self._triggers = tuple(triggers)
        self._invoker = invoker
        self._clock = clock
        self._console = console
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin; the first time is one period from now."""
        for trigger in self._triggers:
            rate = _RATE.fullmatch(trigger.expression)
            if rate is None:
                self._console.say(f"{trigger.function}: {trigger.expression} does not fire in the local stack, only rate(…) does")
            else:
                period = int(rate[1]) * _SECONDS[rate[2]]
                self._tasks.append(asyncio.create_task(self._run(trigger, period)))

    async def stop(self) -> None:
        """Fire no more."""
        for task in self._tasks:
            task.cancel()

    async def _run(self, trigger: ScheduleTrigger, period: float) -> None:
        due = self._clock.monotonic()
        while True:
            due += period
            await self._clock.sleep_until(due)
            event = {
                "version": "0",
                "id": str(uuid.uuid4()),
                "detail-type": "Scheduled Event",
                "source": "aws.events",
                "account": ACCOUNT,
                "time": datetime.fromtimestamp(self._clock.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "region": REGION,
                "resources": [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{trigger.function}"],
                "detail": {},
            }
            self._invoker.invoke_event(trigger.function, json.dumps(event).encode())
