"""Deliver DynamoDB streams to the functions that read them.

Records are delivered in order, until they are accepted, or given up as their trigger says.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.emulator.aws_errors import AwsError
from infra.emulator.console import Console
from infra.emulator.errors import CannotStart
from infra.emulator.events.patterns import matches
from infra.emulator.gateway.invoker import InvocationRefused, Invoker
from infra.emulator.moto.client import Moto
from infra.emulator.rights import Guard, NeededRight
from infra.emulator.settings import ACCOUNT, REGION

FIRST_RETRY_SECONDS = 0.2
LONGEST_RETRY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class StreamTrigger:
    """A function that gets the records of a table's stream."""

    table: str
    function: str
    batch_size: int
    filters: tuple[Mapping[str, Any], ...]
    """Patterns, at least one of which a record must match; all records match if it is empty."""
    retries: int = -1
    """How often a batch is delivered again; -1: until it is too old."""
    record_age_seconds: float = -1
    """Age from which records are dropped; -1: never, apart from the stream's own end."""
    bisect: bool = False
    """Whether a batch on which the function fails is divided."""
    reports_items: bool = False
    """Whether the function's answer says which records it did not accept."""


class StreamPump:
    """Delivers one table's stream to one function."""

    def __init__(
        self,
        trigger: StreamTrigger,
        moto: Moto,
        invoker: Invoker,
        console: Console,
        lost: Callable[[int], bool],
    ) -> None:
        """Create the pump.

        ``lost`` is called with each record's number, and returns whether the function does not get
        the record.
        """
        self._lost = lost
        self._trigger = trigger
        self._moto = moto
        self._invoker = invoker
        self._console = console
        self._next = 0
        self._written = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start with the records written from now on."""
        self._next, _ = await self._moto.stream(self._trigger.table, -1)
        self._task = asyncio.create_task(self._pump())

    def written(self) -> None:
        """Note that the table may have changed."""
        self._written.set()

    async def stop(self) -> None:
        """Stop, and leave what has not been accepted."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _pump(self) -> None:
        while True:
            await self._written.wait()
            self._written.clear()
            while await self._pump_once():
                pass

    async def _pump_once(self) -> bool:
        """Deliver the available records; return whether there were any."""
        first = self._next
        after, records = await self._moto.stream(self._trigger.table, first)
        found = bool(records)
        records = [record for number, record in enumerate(records, first) if not self._lost(number)]
        wanted = [
            record
            for record in (_as_lambda_gets_it(record, self._trigger.table) for record in records)
            if self._wants(record)
        ]
        for start in range(0, len(wanted), self._trigger.batch_size):
            await self._deliver(wanted[start : start + self._trigger.batch_size])
        self._next = after
        return found

    def _wants(self, record: dict[str, Any]) -> bool:
        return not self._trigger.filters or any(
            matches(pattern, record) for pattern in self._trigger.filters
        )

    async def _deliver(self, records: list[dict[str, Any]]) -> None:
        """Deliver a batch until all of it is accepted or given up."""
        attempt, delay = 0, FIRST_RETRY_SECONDS
        while records := self._young_enough(records):
            left, problem, failed = await self._offer(records)
            if not left:
                return
            if failed and self._trigger.bisect and len(left) > 1:
                self._say("waits", problem)
                half = len(left) // 2
                await self._deliver(left[:half])
                await self._deliver(left[half:])
                return
            attempt = attempt + 1 if left == records else 1
            if 0 <= self._trigger.retries < attempt:
                self._say(f"gives up {len(left)} records", problem)
                return
            records = left
            self._say("waits", problem)
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_RETRY_SECONDS)

    async def _offer(self, records: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str, bool]:
        """Deliver a batch once.

        Return the records that were not accepted, why, and whether the function itself failed.
        """
        event = json.dumps({"Records": records}).encode()
        try:
            invocation = await self._invoker.invoke(self._trigger.function, event)
        except InvocationRefused as error:
            return records, str(error), False
        told = invocation.payload[:500].decode(errors="replace")
        if invocation.function_error is not None:
            return records, told, True
        left = not_accepted(records, invocation.payload) if self._trigger.reports_items else []
        return left, told, False

    def _young_enough(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        longest = self._trigger.record_age_seconds
        if longest < 0:
            return records
        since = time.time() - longest
        young = [one for one in records if _written_at(one) >= since]
        if len(young) < len(records):
            self._say(f"gives up {len(records) - len(young)} records", "they are too old")
        return young

    def _say(self, what: str, why: str) -> None:
        trigger = self._trigger
        self._console.say(f"stream of {trigger.table} {what}: {trigger.function} failed: {why}")


def not_accepted(records: list[dict[str, Any]], answer: bytes) -> list[dict[str, Any]]:
    """Return the records that a function with ReportBatchItemFailures gets again. Pure.

    These are the first that it names and all after it. An answer that Lambda cannot use concerns
    the whole batch.
    """
    try:
        document = json.loads(answer or b"null")
        failures = (document or {}).get("batchItemFailures") or []
        named = {failure["itemIdentifier"] for failure in failures}
    except (ValueError, AttributeError, TypeError, KeyError):
        return records
    numbers = [str(record["dynamodb"]["SequenceNumber"]) for record in records]
    if not named <= set(numbers):
        return records
    return records[min(map(numbers.index, named)) :] if named else []


class Streams:
    """All pumps, by table."""

    def __init__(
        self,
        triggers: Iterable[StreamTrigger],
        moto: Moto,
        invoker: Invoker,
        console: Console,
        lost: Callable[[int], bool],
    ) -> None:
        self._pumps: dict[str, list[StreamPump]] = {}
        for trigger in triggers:
            self._pumps.setdefault(trigger.table, []).append(
                StreamPump(trigger, moto, invoker, console, lost)
            )

    async def start(self) -> None:
        """Connect the functions to their tables."""
        for pumps in self._pumps.values():
            for pump in pumps:
                await pump.start()

    def written(self, table: str | None) -> None:
        """Note that a table may have changed; None stands for any table."""
        for name, pumps in self._pumps.items():
            if table is None or name == table:
                for pump in pumps:
                    pump.written()

    async def stop(self) -> None:
        """Stop all pumps."""
        for pumps in self._pumps.values():
            for pump in pumps:
                await pump.stop()


def check_streams(
    guard: Guard, triggers: Iterable[StreamTrigger], role_of: Callable[[str], str]
) -> None:
    """Raise :class:`CannotStart` if a function may not read its stream.

    AWS would not connect them either. ``role_of`` returns the name of a function's role.
    """
    for trigger in triggers:
        arn = _stream_arn(trigger.table)
        needs = [
            NeededRight(f"dynamodb:{operation}", arn)
            for operation in ("GetRecords", "GetShardIterator", "DescribeStream", "ListStreams")
        ]
        try:
            guard.require(role_of(trigger.function), needs)
        except AwsError as error:
            raise CannotStart(
                f"{trigger.function} cannot read the stream of {trigger.table}: {error}"
            ) from None


def _written_at(record: dict[str, Any]) -> float:
    return float(record["dynamodb"].get("ApproximateCreationDateTime", time.time()))


def _stream_arn(table: str) -> str:
    return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}/stream/local"


def _as_lambda_gets_it(record: dict[str, Any], table: str) -> dict[str, Any]:
    """Return moto's record with what an event source mapping adds."""
    return {
        **record,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": REGION,
        "eventSourceARN": _stream_arn(table),
    }
