"""EventBridge's default bus: it takes events, matches rules and invokes targets."""

import asyncio
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from infra.emulator.aws_errors import AwsError
from infra.emulator.console import Console
from infra.emulator.events.patterns import matches
from infra.emulator.gateway.invoker import Invoker
from infra.emulator.keys import AccessKey
from infra.emulator.moto.client import Moto, MotoFailed
from infra.emulator.rights import Guard, NeededRight
from infra.emulator.settings import ACCOUNT, REGION

MOST_ENTRIES = 10
"""Limit of one PutEvents."""
RETRY_SECONDS = (0.5, 2, 8)


@dataclass(frozen=True, slots=True)
class FunctionTarget:
    """Invokes a function with the event."""

    function: str


@dataclass(frozen=True, slots=True)
class StateMachineTarget:
    """Starts an execution with the event as its input."""

    arn: str
    role: str
    """The name of the rule's role."""


@dataclass(frozen=True, slots=True)
class BusRule:
    """One rule."""

    pattern: Mapping[str, Any]
    target: FunctionTarget | StateMachineTarget


class EventBus:
    """Delivers events at least once, to each target separately, in no certain order (FACTS E7)."""

    def __init__(
        self, rules: Iterable[BusRule], moto: Moto, invoker: Invoker, guard: Guard, console: Console
    ) -> None:
        self._rules = tuple(rules)
        self._moto = moto
        self._invoker = invoker
        self._guard = guard
        self._console = console
        self._tasks: set[asyncio.Task[None]] = set()

    def publish(
        self,
        source: str,
        detail_type: str,
        detail: Mapping[str, Any],
        resources: Iterable[str] = (),
        time: str | None = None,
    ) -> str:
        """Put an event on the bus; return its id."""
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": detail_type,
            "source": source,
            "account": ACCOUNT,
            "time": time or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": REGION,
            "resources": list(resources),
            "detail": detail,
        }
        for rule in self._rules:
            if matches(rule.pattern, event):
                self._deliver(rule.target, event)
        return str(event["id"])

    async def stop(self) -> None:
        """Abandon the events that are still being delivered."""
        for task in list(self._tasks):
            task.cancel()

    async def handle(
        self, _request: web.Request, operation: str, body: bytes, _key: AccessKey
    ) -> web.Response | None:
        """Answer PutEvents; moto answers the rest."""
        if operation != "PutEvents":
            return None
        entries = json.loads(body)["Entries"]
        results = [self._put(entry) for entry in entries[:MOST_ENTRIES]]
        failed = sum("ErrorCode" in result for result in results)
        return web.json_response(
            {"FailedEntryCount": failed, "Entries": results},
            content_type="application/x-amz-json-1.1",
        )

    def _put(self, entry: Mapping[str, Any]) -> dict[str, str]:
        for name in ("Source", "DetailType", "Detail"):
            if not entry.get(name):
                message = f"Parameter {name} is not valid. Reason: {name} is a required argument."
                return {"ErrorCode": "InvalidArgument", "ErrorMessage": message}
        try:
            detail = json.loads(entry["Detail"])
        except ValueError:
            return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
        return {
            "EventId": self.publish(
                entry["Source"], entry["DetailType"], detail, entry.get("Resources", ())
            )
        }

    def _deliver(
        self, target: FunctionTarget | StateMachineTarget, event: Mapping[str, Any]
    ) -> None:
        document = json.dumps(event)
        if isinstance(target, FunctionTarget):
            self._invoker.invoke_event(target.function, document.encode())
            return
        task = asyncio.create_task(self._start_execution(target, document))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start_execution(self, target: StateMachineTarget, document: str) -> None:
        arn = target.arn
        try:
            self._guard.require(target.role, [NeededRight("states:StartExecution", arn)])
        except AwsError as error:
            self._console.say(f"event not delivered to {arn}: {error}")
            return
        for delay in (*RETRY_SECONDS, None):
            try:
                await self._moto.call(
                    "states",
                    "StartExecution",
                    {"stateMachineArn": arn, "name": str(uuid.uuid4()), "input": document},
                )
                return
            except MotoFailed as error:
                if delay is None:
                    self._console.say(f"event not delivered to {arn}: {error}")
                    return
                await asyncio.sleep(delay)
