"""Sends a worker's lines to CloudWatch Logs, where each worker has its own log stream.

A line is sent within a second, together with lines that came close to it. Lines that cannot be sent
wait, bounded by :mod:`agent.processes.log_buffer`, and are tried again at growing intervals. R does
not wait for any of this.
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
"""Batches that are sent at once, whatever the number of workers."""
_HOPELESS = frozenset(
    {"InvalidParameterException", "ValidationException", "SerializationException"}
)
"""Errors after which the service will never accept the batch."""


class WorkerLog(Protocol):
    """Takes one worker's output, from its start to its end."""

    def line(self, text: str) -> None:
        """Log a line that R wrote, or a line of the agent's, which begins with ``[sheen]``."""

    def end(self, well: bool) -> None:
        """End the log, because the worker has ended.

        ``well`` is True unless the worker failed by itself.
        """


class AgentsOwnLog:
    """Puts the lines into the agent's own log, for a deployment without a log group for them."""

    def __init__(self, worker_id: str) -> None:
        self._worker_id = worker_id

    def line(self, text: str) -> None:
        """Log the line."""
        logger.info(text, extra={"worker": self._worker_id, "stream": "R"})

    def end(self, well: bool) -> None:
        """Do nothing."""


class WorkerLogs:
    """The logs of an instance's workers, in the log group ``group``.

    If ``group`` is empty, workers have no streams.
    """

    def __init__(
        self,
        group: str,
        make_client: Callable[[], Any],
        clock: Clock = wall_clock,
        retry: float = FIRST_RETRY,
    ) -> None:
        """Prepare the logs; nothing is sent yet.

        ``make_client`` returns boto3's ``logs`` client. ``retry`` is the first interval, in
        seconds.
        """
        self._group = group
        self._make_client = functools.cache(make_client)
        self._clock = clock
        self._retry = retry
        self._open: set[_StreamLog] = set()
        self._senders = ThreadPoolExecutor(SENDERS, thread_name_prefix="logs")

    def open(self, stream: LogStream, preserve: bool) -> WorkerLog:
        """Return the log of a new worker.

        Without ``preserve`` (setting ``preserve_logs``) it is deleted when the worker ends well.
        """
        if not self._group:
            return AgentsOwnLog(stream.worker_id)
        log = _StreamLog(str(stream), preserve, self._clock, self._call, self._retry)
        self._open.add(log)
        log.sending.add_done_callback(lambda _task: self._open.discard(log))
        return log

    async def close(self, within: float) -> None:
        """Send what is left, for at most ``within`` seconds; log how much could not be sent."""
        left = list(self._open)
        for log in left:
            # A worker that has not ended by now is not known to have ended well.
            log.end(well=False)
        if left:
            await asyncio.wait([log.sending for log in left], timeout=within)
        for log in left:
            if not log.sending.done():
                log.sending.cancel()
                logger.error(
                    f"{log.waiting} lines of {log.stream} could not be sent to the log "
                    f"group {self._group}"
                )
        self._senders.shutdown(wait=False, cancel_futures=True)

    async def _call(self, operation: str, **parameters: Any) -> Any:
        def call() -> Any:
            return getattr(self._make_client(), operation)(logGroupName=self._group, **parameters)

        return await asyncio.get_running_loop().run_in_executor(self._senders, call)


class _StreamLog:
    def __init__(
        self, stream: str, preserve: bool, clock: Clock, call: Callable[..., Any], retry: float
    ) -> None:
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
        self.sending = asyncio.get_running_loop().create_task(
            self._send_all(), name=f"log {stream}"
        )

    @property
    def waiting(self) -> int:
        """Number of lines that are not in the stream yet."""
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
        """Send one batch; return whether it needs no further attempt."""
        if not self._made and not await self._do(
            "create_log_stream", fine="ResourceAlreadyExistsException"
        ):
            return False
        self._made = True
        try:
            answer = await self._call("put_log_events", logStreamName=self.stream, logEvents=events)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _HOPELESS:
                logger.error(
                    f"CloudWatch Logs refused {len(batch)} lines: {error}",
                    extra={"stream": self.stream},
                )
                return True
            # The stream was deleted; it is made again.
            self._made = code != "ResourceNotFoundException"
            self._complain(error)
            return False
        except Exception as error:  # any error: R continues and the lines wait
            self._complain(error)
            return False
        if rejected := answer.get("rejectedLogEventsInfo"):
            logger.error(
                f"CloudWatch Logs refused some of {len(batch)} lines by their time: {rejected}",
                extra={"stream": self.stream},
            )
        self._complained = False
        return True

    async def _do(self, operation: str, fine: str) -> bool:
        """Call an operation on the stream; return whether its effect is there.

        An error with the code ``fine`` means that it was already done.
        """
        try:
            await self._call(operation, logStreamName=self.stream)
        except ClientError as error:
            if error.response["Error"]["Code"] == fine:
                return True
            self._complain(error)
            return False
        except Exception as error:  # any error: R continues and the lines wait
            self._complain(error)
            return False
        return True

    def _complain(self, error: Exception) -> None:
        """Log the error once, not at every attempt."""
        if not self._complained:
            logger.warning(
                f"a worker's log cannot be written at the moment: {error}",
                extra={"stream": self.stream},
            )
        self._complained = True
