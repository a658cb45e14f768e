"""Task executions, which run one after the other, each as a process (FACTS E5)."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from infra.emulator import children
from infra.emulator.settings import REGION, EmulatorSettings
from infra.emulator.transfer_faults import TransferFate

WITHOUT_SOME = (
    "Transfer and verification completed. Selected files transferred except for files "
    "skipped due to errors. "
    "If no skipped files are listed in Cloud Watch Logs, please contact AWS Support for "
    "further assistance."
)
"""Basic mode's message for an execution with files that failed.

Basic mode does not count these files. Only its log names them.
"""
VERIFY = {
    "NONE": "none",
    "ONLY_FILES_TRANSFERRED": "transferred",
    "POINT_IN_TIME_CONSISTENT": "all",
}
ENDED = ("SUCCESS", "ERROR")


@dataclass(slots=True)
class Execution:
    """One run of a task."""

    arn: str
    number: int
    """Number within the stack's life, for drawing faults."""
    job: Mapping[str, Any]
    """The job, in the format of :class:`Copier`."""
    filters: Mapping[str, Any]
    options: Mapping[str, Any]
    tags: Mapping[str, str] = field(default_factory=dict)
    mode: str = "BASIC"
    status: str = "QUEUED"
    started: float = field(default_factory=time.time)
    ended: float | None = None
    counts: dict[str, Any] = field(default_factory=dict)
    error: tuple[str, str] | None = None
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    def document(self) -> dict[str, Any]:
        """Return the answer of DescribeTaskExecution."""
        counts = self.counts
        document: dict[str, Any] = {
            "TaskExecutionArn": self.arn,
            "Status": self.status,
            "Options": dict(self.options),
            **self.filters,
            "StartTime": self.started,
            "EstimatedFilesToTransfer": _to_transfer(counts),
            "EstimatedBytesToTransfer": counts.get("bytes_to_copy", 0),
            "FilesTransferred": counts.get("files_copied", 0),
            "BytesWritten": counts.get("bytes_copied", 0),
            "BytesTransferred": counts.get("bytes_read", 0),
            "FilesDeleted": counts.get("files_deleted", 0),
            "FilesSkipped": counts.get("files_skipped", 0),
            "FilesVerified": counts.get("files_copied", 0),
            "TaskMode": self.mode,
            **(
                {"FilesFailed": {"Transfer": counts.get("files_failed", 0)}}
                if self.mode == "ENHANCED"
                else {}
            ),
        }
        if self.ended is not None:
            document["EndTime"] = self.ended
            result: dict[str, Any] = {"TotalDuration": int((self.ended - self.started) * 1000)}
            if self.error is not None:
                result["ErrorCode"], result["ErrorDetail"] = self.error
            document["Result"] = result
        return document


def _to_transfer(counts: Mapping[str, Any]) -> int:
    """Return the number of files that DataSync would expect to transfer.

    It includes files that cannot be written and, in Basic mode, deletions.
    """
    copied, failed, deleted = (
        int(counts.get(f"files_{what}", 0)) for what in ("copied", "failed", "deleted")
    )
    return max(int(counts.get("files_to_copy", 0)), copied + failed) + deleted


class Copier(NamedTuple):
    """The program that copies.

    It reads its job as JSON from standard input: ``bucket``, ``prefix``, ``folder``, ``incoming``,
    ``include``, ``exclude``, ``delete`` and ``verify``. It writes a line of JSON with its counts
    several times a second, and a last one with ``"phase": "done"`` or ``"error"``.
    """

    command: Sequence[str]
    environment: Mapping[str, str]


class Runner:
    """Runs the executions of all tasks, one at a time for each task."""

    def __init__(
        self,
        settings: EmulatorSettings,
        copier: Copier,
        key: Mapping[str, str],
        changed: Callable[[Execution], None],
    ) -> None:
        """Create a runner.

        ``key`` holds the variables with the credentials for reading S3. ``changed`` is called at
        each new status.
        """
        self._settings = settings
        self._copier = copier
        self._key = key
        self._changed = changed
        self._locks: dict[str, asyncio.Lock] = {}
        self._running: set[asyncio.Task[None]] = set()

    def start(self, task: str, execution: Execution, fate: TransferFate) -> None:
        """Start when all earlier executions of the task have ended."""
        running = asyncio.create_task(
            self._run(self._locks.setdefault(task, asyncio.Lock()), execution, fate)
        )
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def stop(self) -> None:
        """Kill running executions."""
        for running in list(self._running):
            running.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _run(self, lock: asyncio.Lock, execution: Execution, fate: TransferFate) -> None:
        self._changed(execution)
        async with lock:
            if not execution.cancelled.is_set():
                self._become(execution, "LAUNCHING")
                await self._copy(execution, fate)
        if execution.cancelled.is_set():
            execution.error = ("CancelledByUser", "Task execution was cancelled")
        elif execution.error is None and execution.counts.get("files_failed"):
            execution.error = ("NotTransferred", WITHOUT_SOME)
        execution.ended = time.time()
        self._become(execution, "ERROR" if execution.error else "SUCCESS")

    async def _copy(self, execution: Execution, fate: TransferFate) -> None:
        if fate.stall:
            self._become(execution, "PREPARING")
            await execution.cancelled.wait()
            return
        log = self._settings.logs / "datasync.log"
        with log.open("ab") as output:
            process = await children.start(
                self._copier.command,
                environment={
                    "PATH": "/usr/bin:/bin",
                    **self._copier.environment,
                    "AWS_REGION": REGION,
                    "AWS_ENDPOINT_URL": self._settings.endpoint,
                    **self._key,
                },
                output=output,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        cancelled = asyncio.create_task(execution.cancelled.wait())
        reading = asyncio.create_task(self._follow(process, execution, fate))
        try:
            await asyncio.wait([cancelled, reading], return_when=asyncio.FIRST_COMPLETED)
        finally:
            cancelled.cancel()
            reading.cancel()
            await children.stop(process, 0)
        if fate.fail and not execution.cancelled.is_set():
            execution.error = ("TransferError", "a fault was asked for")
        elif (
            "phase" in execution.counts
            and execution.counts["phase"] != "done"
            and execution.error is None
            and not execution.cancelled.is_set()
        ):
            execution.error = ("TransferError", f"its process ended before it was done; see {log}")

    async def _follow(
        self, process: asyncio.subprocess.Process, execution: Execution, fate: TransferFate
    ) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(dict(execution.job)).encode())
        process.stdin.close()
        execution.counts = {"phase": "preparing"}
        self._become(execution, "PREPARING")
        while line := await process.stdout.readline():
            execution.counts = json.loads(line)
            status = {"transferring": "TRANSFERRING", "verifying": "VERIFYING"}.get(
                execution.counts["phase"], execution.status
            )
            if status != execution.status:
                self._become(execution, status)
            if "error" in execution.counts:
                execution.error = ("SourceError", execution.counts["error"])
            if fate.fail and execution.counts["files_copied"] >= fate.fail_after:
                return

    def _become(self, execution: Execution, status: str) -> None:
        execution.status = status
        self._changed(execution)
