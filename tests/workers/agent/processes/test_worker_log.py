"""From a worker's lines to its log stream, with a service that fails."""

import asyncio
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from agent.processes.log_buffer import BATCH_EVENTS
from agent.processes.worker_log import AgentsOwnLog, WorkerLogs
from chalicelib.instances.log_streams import LogStream
from tests.support.waiting import eventually

GROUP = "/sheen/test/apps"
STREAM = LogStream(
    "0123456789ab", "20261120T000000Z-0000", "00112233aabbccdd", "20261120T000000Z-0000.0.1"
)


class Service:
    """CloudWatch Logs: streams of messages; ``failures`` are raised by the next calls of
    put_log_events, in turn.
    """

    def __init__(self) -> None:
        self.streams: dict[str, list[str]] = {}
        self.failures: list[Exception] = []
        self.calls: list[str] = []

    def create_log_stream(self, **call: Any) -> dict[str, Any]:
        stream = self._called("create", call)
        if stream in self.streams:
            raise failed("ResourceAlreadyExistsException")
        self.streams[stream] = []
        return {}

    def put_log_events(self, **call: Any) -> dict[str, Any]:
        stream, events = self._called("put", call), call["logEvents"]
        if self.failures:
            raise self.failures.pop(0)
        if stream not in self.streams:
            raise failed("ResourceNotFoundException")
        assert all(abs(event["timestamp"] / 1000 - time.time()) < 60 for event in events)
        self.streams[stream] += [event["message"] for event in events]
        return {}

    def delete_log_stream(self, **call: Any) -> dict[str, Any]:
        stream = self._called("delete", call)
        if stream not in self.streams:
            raise failed("ResourceNotFoundException")
        del self.streams[stream]
        return {}

    def _called(self, operation: str, call: dict[str, Any]) -> str:
        assert call["logGroupName"] == GROUP
        self.calls.append(operation)
        stream: str = call["logStreamName"]
        return stream

    @property
    def lines(self) -> list[str]:
        return self.streams.get(str(STREAM), [])


def failed(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "PutLogEvents")


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def logs(service: Service) -> WorkerLogs:
    return WorkerLogs(GROUP, lambda: service, retry=0.01)


async def test_lines_come_out_while_the_worker_lives_and_the_last_ones_at_its_end(
    logs: WorkerLogs, service: Service
) -> None:
    log = logs.open(STREAM, preserve=True)
    log.line("first")
    log.line("second")
    await eventually(lambda: service.lines == ["first", "second"])
    assert service.calls == ["create", "put"]
    log.line("last words")
    log.end(well=False)
    log.line("nobody says this any more")
    await logs.close(within=10)
    assert service.lines == ["first", "second", "last words"]


async def test_nothing_is_lost_or_doubled_while_the_service_fails(
    logs: WorkerLogs, service: Service
) -> None:
    service.failures = [
        failed("ThrottlingException"),
        failed("ServiceUnavailableException"),
        EndpointConnectionError(endpoint_url="https://logs"),
        failed("AccessDeniedException"),
        KeyError("something that nobody thought of"),
    ]
    log = logs.open(STREAM, preserve=True)
    wanted = [f"line {number}" for number in range(100)]
    for text in wanted:
        log.line(text)
        await asyncio.sleep(0)
    await eventually(lambda: service.lines == wanted)
    await logs.close(within=10)
    assert service.lines == wanted


async def test_a_stream_that_somebody_deleted_is_made_again(
    logs: WorkerLogs, service: Service
) -> None:
    log = logs.open(STREAM, preserve=True)
    log.line("one")
    await eventually(lambda: service.lines == ["one"])
    service.streams.clear()
    log.line("two")
    await eventually(lambda: service.lines == ["two"])
    await logs.close(within=10)


async def test_a_batch_that_the_service_will_never_take_does_not_hold_up_the_next(
    logs: WorkerLogs, service: Service
) -> None:
    service.failures = [failed("InvalidParameterException")]
    log = logs.open(STREAM, preserve=True)
    log.line("refused")
    await eventually(lambda: not service.failures)
    log.line("taken")
    await eventually(lambda: service.lines == ["taken"])
    await logs.close(within=10)


async def test_a_flood_goes_out_in_few_calls(logs: WorkerLogs, service: Service) -> None:
    log = logs.open(STREAM, preserve=True)
    count = 2 * BATCH_EVENTS + 5
    for number in range(count):
        log.line(str(number))
    log.end(well=True)
    await logs.close(within=20)
    assert service.lines == [str(number) for number in range(count)]
    assert service.calls.count("put") == 3


@pytest.mark.parametrize(
    ("preserve", "well", "kept"), [(True, True, True), (False, False, True), (False, True, False)]
)
async def test_preserve_logs_keeps_what_failed_and_drops_what_ended_well(
    logs: WorkerLogs, service: Service, preserve: bool, well: bool, kept: bool
) -> None:
    log = logs.open(STREAM, preserve)
    log.line("hello")
    log.end(well)
    await logs.close(within=10)
    assert (str(STREAM) in service.streams) is kept


async def test_closing_gives_up_in_time_when_the_service_is_gone(
    logs: WorkerLogs, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.failures = [failed("ServiceUnavailableException")] * 10_000
    log = logs.open(STREAM, preserve=True)
    log.line("one")
    log.line("two")
    started = time.monotonic()
    await logs.close(within=1.5)
    assert time.monotonic() - started < 10
    assert "2 lines of" in caplog.text


async def test_a_worker_that_said_nothing_has_no_stream(logs: WorkerLogs, service: Service) -> None:
    logs.open(STREAM, preserve=True).end(well=True)
    await logs.close(within=10)
    assert service.calls == []


async def test_without_a_group_lines_go_to_the_agents_own_log(service: Service) -> None:
    logs = WorkerLogs("", lambda: service)
    assert isinstance(logs.open(STREAM, preserve=True), AgentsOwnLog)
    await logs.close(within=1)
