"""Where the lines of a worker go: a log stream of its own in CloudWatch Logs.

A line is sent within a second, with those that came close to it. What cannot be sent waits, bounded by
:mod:`agent.processes.log_buffer`, and is tried again at growing intervals. R waits for none of it.
"""

import asyncio
import contextlib
import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from botocore.exceptions import ClientError

from agent.log import logger
from agent.processes.log_buffer import Event, LogBuffer
from chalicelib.clock import Clock, wall_clock
from chalicelib.instances.log_streams import LogStream

GATHER = 1.0
"""Seconds for which lines are gathered into one batch."""
FIRST_RETRY = 1.0
LONGEST_RETRY = 30.0
SENDERS = 2
"""Batches that are on their way at once, whatever the number of workers."""
_HOPELESS = frozenset({"InvalidParameterException", "ValidationException", "SerializationException"})
"""The service will never take this batch."""


class WorkerLog(Protocol):
    """Takes what one worker says, from its start to its end."""

    def line(self, text: str) -> None:
        """R wrote a line; or the agent, then it begins with ``[sheen]``."""

    def end(self, well: bool) -> None:
        """The worker has ended; nothing more comes. ``well``: not by a failure of its own."""


class AgentsOwnLog:
    """The lines go among those of the agent itself: for a deployment that names no group for them."""

    def __init__(self, worker_id: str) -> None:
        self._worker_id = worker_id

    def line(self, text: str) -> None:
        """Log it."""
        logger.info(text, extra={"worker": self._worker_id, "stream": "R"})

    def end(self, well: bool) -> None:
        """Nothing is left to be done."""


class WorkerLogs:
    """The logs of an instance's workers, in the log group ``group``; none has a stream when it is empty."""

    def __init__(self, group: str, make_client: Callable[[], Any], clock: Clock = wall_clock, retry: float = FIRST_RETRY) -> None:
        """``make_client`` returns boto3's client of ``logs``; ``retry`` is the first interval, in seconds."""
        self._group = group
        self._make_client = functools.cache(make_client)
        self._clock = clock
        self._retry = retry
        self._open: set[_StreamLog] = set()
        self._senders = ThreadPoolExecutor(SENDERS, thread_name_prefix="logs")

    def open(self, stream: LogStream, preserve: bool) -> WorkerLog:
        """Return the log of a new worker; without ``preserve`` it is deleted when the worker ends well (``preserve_logs``)."""
        if not self._group:
            return AgentsOwnLog(stream.worker_id)
        log = _StreamLog(str(stream), preserve, self._clock, self._call, self._retry)
        self._open.add(log)
        log.sending.add_done_callback(lambda _task: self._open.discard(log))
        return log

    async def close(self, within: float) -> None:
        """Send what is left, for at most ``within`` seconds; say what could not be sent."""
        left = list(self._open)
        for log in left:
            log.end(well=False)  # whoever has not ended by now is not known to have ended well
        if left:
            await asyncio.wait([log.sending for log in left], timeout=within)
        for log in left:
            if not log.sending.done():
                log.sending.cancel()
                logger.error(f"{log.waiting} lines of {log.stream} could not be sent to the log group {self._group}")
        self._senders.shutdown(wait=False, cancel_futures=True)

    async def _call(self, operation: str, **parameters: Any) -> Any:
        def call() -> Any:
            return getattr(self._make_client(), operation)(logGroupName=self._group, **parameters)

        return await asyncio.get_running_loop().run_in_executor(self._senders, call)


class _StreamLog:
    def __init__(self, stream: str, preserve: bool, clock: Clock, call: Callable[..., Any], retry: float) -> None:
        self.stream = stream
        self._preserve = preserve
        self._clock = clock
        self._call = call
        self._first_retry = retry
        self._buffer = LogBuffer()
        self._on_its_way = 0
        self._made = False
        self._complained = False
        self._something = asyncio.Event()
        self._hurry = asyncio.Event()
        self._ended = False
        self._well = False
        self.sending = asyncio.get_running_loop().create_task(self._send_all(), name=f"log {stream}")

    @property
    def waiting(self) -> int:
        """Lines that are not in the stream yet."""
        return self._buffer.lines + self._on_its_way

    def line(self, text: str) -> None:
        if self._ended:
            return
        self._buffer.add(int(self._clock() * 1000), text)
        self._something.set()
        if self._buffer.fills_a_batch:
            self._hurry.set()

    def end(self, well: bool) -> None:
        if not self._ended:
            self._ended, self._well = True, well
            self._something.set()
            self._hurry.set()

    async def _send_all(self) -> None:
        while True:
            await self._something.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), GATHER)
            if not self._ended:
                self._something.clear()
                self._hurry.clear()
            while self._buffer:
                batch = self._buffer.take()
                self._on_its_way = len(batch)
                await self._send(batch)
                self._on_its_way = 0
            if self._ended:
                break
        if self._well and not self._preserve:
            await self._do("delete_log_stream", fine="ResourceNotFoundException")

    async def _send(self, batch: Sequence[Event]) -> None:
        events = [{"timestamp": event.at_ms, "message": event.text} for event in batch]
        delay = self._first_retry
        while not await self._put(batch, events):
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_RETRY)

    async def _put(self, batch: Sequence[Event], events: list[dict[str, Any]]) -> bool:
        """Send one batch; return whether it is done with."""
        if not self._made and not await self._do("create_log_stream", fine="ResourceAlreadyExistsException"):
            return False
        self._made = True
        try:
            answer = await self._call("put_log_events", logStreamName=self.stream, logEvents=events)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _HOPELESS:
                logger.error(f"CloudWatch Logs refused {len(batch)} lines: {error}", extra={"stream": self.stream})
                return True
            self._made = code != "ResourceNotFoundException"  # somebody deleted it: it is made again
            self._complain(error)
            return False
        except Exception as error:  # whatever it is, R goes on and the lines wait
            self._complain(error)
            return False
        if rejected := answer.get("rejectedLogEventsInfo"):
            logger.error(f"CloudWatch Logs refused some of {len(batch)} lines by their time: {rejected}", extra={"stream": self.stream})
        self._complained = False
        return True

    async def _do(self, operation: str, fine: str) -> bool:
        """Call an operation on the stream; an error of the code ``fine`` says that it was done already."""
        try:
            await self._call(operation, logStreamName=self.stream)
        except ClientError as error:
            if error.response["Error"]["Code"] == fine:
                return True
            self._complain(error)
            return False
        except Exception as error:  # whatever it is, R goes on and the lines wait
            self._complain(error)
            return False
        return True

    def _complain(self, error: Exception) -> None:
        """Say it once, not at every attempt."""
        if not self._complained:
            logger.warning(f"a worker's log cannot be written at the moment: {error}", extra={"stream": self.stream})
        self._complained = True
