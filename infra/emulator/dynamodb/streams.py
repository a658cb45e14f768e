"""Deliver DynamoDB streams to the functions that read them.

Records are delivered in order, until they are accepted.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.emulator.aws_errors import AwsError
from infra.emulator.console import Console
from infra.emulator.errors import CannotStart
from infra.emulator.events.patterns import matches
from infra.emulator.gateway.invoker import Invoker, Refused
from infra.emulator.moto.client import Moto
from infra.emulator.rights import Guard, Need
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
        event = json.dumps({"Records": records}).encode()
        delay = FIRST_RETRY_SECONDS
        while True:
            try:
                invocation = await self._invoker.invoke(self._trigger.function, event)
                if invocation.function_error is None:
                    return
                problem = invocation.payload[:500].decode(errors="replace")
            except Refused as error:
                problem = str(error)
            self._console.say(
                f"stream of {self._trigger.table} waits: {self._trigger.function} failed: {problem}"
            )
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_RETRY_SECONDS)


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
            Need(f"dynamodb:{operation}", arn)
            for operation in ("GetRecords", "GetShardIterator", "DescribeStream", "ListStreams")
        ]
        try:
            guard.require(role_of(trigger.function), needs)
        except AwsError as error:
            raise CannotStart(
                f"{trigger.function} cannot read the stream of {trigger.table}: {error}"
            ) from None


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
