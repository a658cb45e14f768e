"""One R process, from its start to its end; a worker is never used again."""

import asyncio
import contextlib
import dataclasses
import os
import secrets
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from enum import Enum
from pathlib import Path

from agent import failure
from agent.log import logger
from agent.processes import fresh, orphans, private, quota
from agent.processes.command import WorkerSpec
from agent.processes.oom import OomKills
from agent.processes.output import Line, Output, Pace, PhaseReport, of_the_app
from agent.processes.preloaded import ForkedProcess
from agent.processes.private import PrivateFolder
from agent.processes.quota import Quota
from agent.processes.r_process import READ_SIZE, RProcess, Starter, end_of
from agent.processes.worker_log import AgentsOwnLog, WorkerLog
from machine import room
from machine.untrusted import Budget

LINES_AT_ONCE = 2000
"""Lines of R's output that are logged at once."""
LINES_A_SECOND = 1000.0
"""Lines of R's output per second that are logged in the long run.

A faster R waits, as it would for a slow terminal.
"""
LINES_A_TURN = 50
"""Lines after which the agent yields to its other tasks."""
LAST_WORDS = 1.0
"""Seconds to read R's last output; a process that it left behind may hold the pipe open."""
CLEARING = 60.0
"""Seconds to end and remove what a worker left behind."""
KILLED = 10.0
"""Seconds for a killed process to end.

A process that waits for a device or a remote file system takes longer.
"""
STOP_STEPS = ((signal.SIGINT, 5.0), (signal.SIGTERM, 3.0))
"""Signals that ask R to end, each with the seconds that it is given; SIGKILL follows.

SIGINT is first because R then runs onStop handlers and cleans up (FACTS R7).
"""


class WorkerState(Enum):
    """NEW → STARTING → READY → STOPPING → EXITED.

    A process that ends takes its worker straight to EXITED from any other state.
    """

    NEW = "new"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    EXITED = "exited"


class Worker:
    """Runs R for one :class:`WorkerSpec`.

    ``on_phase`` receives ``app`` when Shiny is loaded and the app's own code starts to run.
    ``on_exit`` is called when the process has ended and everything of it is gone; its argument
    ``unasked`` says that the worker was ready and nobody had stopped it. ``log`` takes R's output.
    ``oom_kills`` tells whether the process was killed for lack of memory. ``furnish`` completes the
    spec just before the start, with values that take time to find.
    """

    def __init__(
        self,
        spec: WorkerSpec,
        on_phase: Callable[[str], None] = lambda phase: None,
        on_exit: Callable[["Worker", bool], None] = lambda worker, unasked: None,
        log: WorkerLog | None = None,
        oom_kills: OomKills | None = None,
        starter: Starter = fresh.start,
        furnish: Callable[[WorkerSpec], Awaitable[WorkerSpec]] | None = None,
    ) -> None:
        self.spec = spec
        self._starter = starter
        self._furnish = furnish
        self.state = WorkerState.NEW
        self._on_phase = on_phase
        self._on_exit = on_exit
        self._log: WorkerLog = log or AgentsOwnLog(spec.worker_id)
        self._oom_kills = oom_kills
        self.out_of_memory: bool | None = None
        """Whether it was killed because memory ran out; None if unknown or not killed."""
        stops = f"{spec.runtime.language} is stopped; the next visit starts it again."
        self._quota = Quota(
            f"Temporary files of this {spec.runtime.language} process", quota.TEMPORARY, stops
        )
        self._mark = secrets.token_hex(16)
        self._output = Output(self._mark)
        self._process: RProcess | None = None
        self._private: PrivateFolder | None = None
        self._calls_run_app = False
        self._killed = False
        self._ready = asyncio.Event()
        self._exited = asyncio.Event()
        self._gone = asyncio.Event()
        self._spawning = asyncio.Lock()
        self._stopping: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process id; None before there is a process."""
        return self._process.pid if self._process else None

    @property
    def returncode(self) -> int | None:
        """The process's exit status (negative: the signal that ended it); None before it ends."""
        return self._process.returncode if self._process else None

    @property
    def forked(self) -> bool:
        """Whether it was forked from a preloaded R."""
        return isinstance(self._process, ForkedProcess)

    @property
    def folder(self) -> Path:
        """The worker's private folder."""
        return self._own.path

    @property
    def socket_path(self) -> Path:
        """Path of the unix socket on which R serves the app.

        Use it in messages only, because an app may put anything there.
        """
        return self._own.socket_path

    def connect(self) -> socket.socket:
        """Return a socket connected to R's; raise as :meth:`machine.untrusted.Folder.connect`."""
        return self._own.connect()

    def has_socket(self) -> bool:
        """Return whether R's socket exists."""
        return self._private is not None and self._private.has_socket()

    @property
    def _own(self) -> PrivateFolder:
        if self._private is None:
            raise RuntimeError("the worker has not been started")
        return self._private

    @property
    def said(self) -> str:
        """The newest 64 KB of R's output."""
        return self._output.text()

    async def start(self) -> None:
        """Start R and wait until it serves the app.

        Raise :class:`agent.failure.AppStartFailed` or :class:`agent.failure.AppInitTimeout`, with
        R's output; R has then ended. R also ends if :meth:`stop` is called meanwhile, or if the
        caller is cancelled.
        """
        try:
            await self._spawn()
            await self._until_ready()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End R and everything that it started; return when all of it is gone.

        This may be called at any time, and more than once.
        """
        await asyncio.shield(self.begin_stop())

    def begin_stop(self) -> asyncio.Task[None]:
        """Begin to stop, and return the task that ends the worker.

        From this call on, nobody may start to use the worker.
        """
        if self._stopping is None:
            if self.state in (WorkerState.STARTING, WorkerState.READY):
                self.state = WorkerState.STOPPING
            self._stopping = asyncio.create_task(self._stop(), name=f"stop {self.spec.worker_id}")
        return self._stopping

    def tell(self, line: str) -> None:
        """Write a line for the app's author to the worker's log."""
        self._log.line(f"[sheen] {line}")

    async def keep_to_quota(self) -> None:
        """Measure the worker's folders.

        Warn in the log when the quota is nearly used up, and end a worker that exceeds it.
        """
        if self.state is not WorkerState.READY:
            return
        used = await asyncio.to_thread(self._own.usage)
        if (line := self._quota.judge(used)) is not None:
            self.tell(line)
        if self._quota.is_exceeded(used) and self.state is WorkerState.READY:
            logger.error(
                "a worker is ended: its temporary files take too much",
                extra={"worker": self.spec.worker_id},
            )
            self.begin_stop()

    async def gone(self) -> None:
        """Wait until the process has ended and nothing is left of it."""
        await self._gone.wait()

    async def _spawn(self) -> None:
        async with self._spawning:
            if self.state is not WorkerState.NEW:
                raise failure.AppStartFailed("The app was stopped before it started.")
            self.state = WorkerState.STARTING
            spec = self.spec
            try:
                if self._furnish is not None:
                    self.spec = spec = await self._furnish(spec)
                own = self._private = await asyncio.to_thread(private.make, spec)
                with orphans.starting(spec.unix_id) as started, _room(spec, own) as spec:
                    self._process = await self._starter(spec, own.path, self._mark)
                    started(self._process.pid)
            except failure.AppStartFailed as error:
                self._log.line(
                    (
                        f"[sheen] {spec.runtime.language} was not started: {error} "
                        f"{_in_one_line(error.said)}"
                    ).rstrip()
                )
                self._log.end(well=False)
                raise
            except OSError as error:
                self._log.line(
                    f"[sheen] {spec.runtime.language} could not be started: {error.filename}: "
                    f"{error.strerror}"
                )
                self._log.end(well=False)
                raise failure.AppStartFailed(
                    f"{spec.runtime.language} could not be started in {spec.directory.name}: "
                    f"{error.strerror}.",
                    f"{error.filename}: {error.strerror}",
                ) from error
            self._log.line(f"[sheen] {spec.runtime.language} starts (process {self._process.pid})")
            reading = asyncio.create_task(
                self._read(self._process), name=f"output {spec.worker_id}"
            )
            self._watching = asyncio.create_task(
                self._watch(self._process, reading), name=f"watch {spec.worker_id}"
            )

    async def _until_ready(self) -> None:
        waiting = [asyncio.create_task(event.wait()) for event in (self._ready, self._gone)]
        try:
            await asyncio.wait(
                waiting, timeout=self.spec.init_timeout, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for task in waiting:
                task.cancel()
        if self.state is WorkerState.READY:
            return
        if self._stopping is not None:
            raise failure.AppStartFailed("The app was stopped while it was starting.", self.said)
        if self._calls_run_app:
            raise failure.calls_run_app(self.said)
        if self._gone.is_set() and self.returncode is not None:
            runtime = self.spec.runtime
            raise failure.start_failed(
                self.returncode, self.said, self.out_of_memory, runtime.language, runtime.quits
            )
        late = failure.init_timeout(self.spec.init_timeout, self.said)
        self._log.line(f"[sheen] {late}")
        raise late

    async def _read(self, process: RProcess) -> None:
        """Read R's output at a bounded rate: an app that floods waits, its visitors do not."""
        if process.stdout is None:
            return
        pace = Pace(LINES_AT_ONCE, LINES_A_SECOND, asyncio.get_running_loop().time())
        while data := await process.stdout.read(READ_SIZE):
            for number, event in enumerate(self._output.feed(data), 1):
                self._heard(event)
                wait = pace.take(asyncio.get_running_loop().time())
                if self._exited.is_set():
                    # The rest is bounded by the pipe, and it is wanted at once.
                    continue
                if wait or number % LINES_A_TURN == 0:
                    await asyncio.sleep(wait)
        for event in self._output.end():
            self._heard(event)

    def _heard(self, event: Line | PhaseReport) -> None:
        match event:
            case Line(text):
                self._log.line(of_the_app(text))
            case PhaseReport("ready"):
                if self.state is WorkerState.STARTING:
                    self.state = WorkerState.READY
                    self._ready.set()
            case PhaseReport("run_app"):
                self._calls_run_app = True
            case PhaseReport(name):
                self._on_phase(name)

    async def _watch(self, process: RProcess, reading: asyncio.Task[None]) -> None:
        """Wait for the process to end, then clear away what is left of it."""
        await end_of(process.pid)
        unasked = self.state is WorkerState.READY
        self.state = WorkerState.EXITED
        self._exited.set()
        try:
            await self._lay_to_rest(process, reading, unasked)
        except Exception:
            logger.exception(
                "the end of a worker could not be told", extra={"worker": self.spec.worker_id}
            )
        finally:
            self._be_gone(unasked)

    async def _lay_to_rest(
        self, process: RProcess, reading: asyncio.Task[None], unasked: bool
    ) -> None:
        self._signal(signal.SIGKILL)
        await self._cleared()
        returncode = await self._returncode(process)
        orphans.reaped(process.pid)
        await asyncio.wait([reading], timeout=LAST_WORDS)
        reading.cancel()
        if returncode == -signal.SIGKILL and self._oom_kills is not None:
            self.out_of_memory = self._oom_kills.one()
        ending = f"{self.spec.runtime.language} {self._ending(returncode)}"
        say = logger.error if unasked else logger.info
        say(ending, extra={"worker": self.spec.worker_id, "pid": process.pid})
        asked = self._stopping is not None and returncode != -signal.SIGKILL
        self._log.line(f"[sheen] {ending}")
        if not self._ready.is_set() and self.spec.sanitize_errors:
            self._log.line(
                "[sheen] visitors are not shown what the app said; with "
                "sanitize_errors=false they are"
            )
        self._log.end(well=self._ready.is_set() if asked else returncode == 0)

    async def _returncode(self, process: RProcess) -> int:
        """Return how the process ended.

        Call it late: it also waits for the pipe, which a process that was left behind may hold
        open.
        """
        try:
            return await asyncio.wait_for(process.wait(), LAST_WORDS)
        except TimeoutError:
            logger.error(
                "something that a worker left holds its output open",
                extra={"worker": self.spec.worker_id},
            )
            return -signal.SIGKILL if process.returncode is None else process.returncode

    def _be_gone(self, unasked: bool) -> None:
        if not self._gone.is_set():
            self.state = WorkerState.EXITED
            self._exited.set()
            self._gone.set()
            self._on_exit(self, unasked)

    async def _cleared(self) -> None:
        """Clear away what is left, for at most :data:`CLEARING` seconds.

        So a file system that hangs does not keep the worker from ending.
        """
        try:
            await asyncio.wait_for(asyncio.to_thread(self._clear), CLEARING)
        except TimeoutError:
            logger.error(
                "clearing up after a worker takes too long",
                extra={"worker": self.spec.worker_id, "seconds": CLEARING},
            )

    def _ending(self, returncode: int) -> str:
        if self._killed:
            return failure.stopped(returncode, sum(patience for _, patience in STOP_STEPS))
        if self._stopping is not None and returncode != -signal.SIGKILL:
            return failure.stopped(returncode)
        return failure.ending(returncode, self.out_of_memory)

    def _clear(self) -> None:
        """End and remove all that is left.

        A failure of one step is logged, and does not keep the others from running.
        """
        if self._private is None:
            return
        try:
            orphans.end(
                self.pid,
                self.spec.unix_id,
                self._private.path,
                own_user=self.spec.account is None,
            )
        except Exception:
            logger.exception(
                "processes of a worker stay behind", extra={"worker": self.spec.worker_id}
            )
        try:
            self._private.remove(Budget(seconds=CLEARING))
        except Exception:
            logger.exception(
                "a worker's folder stays behind",
                extra={"worker": self.spec.worker_id, "folder": str(self.folder)},
            )

    async def _stop(self) -> None:
        async with self._spawning:  # now there either is a process, or never will be
            if self.state is not WorkerState.EXITED:
                self.state = WorkerState.STOPPING
            if self._process is None:
                self.state = WorkerState.EXITED
                await self._cleared()
                self._log.end(well=True)
                self._exited.set()
                self._gone.set()
                return
        for number, patience in STOP_STEPS:
            if self._exited.is_set():
                break
            self._signal(number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._exited.wait(), patience)
        if not self._exited.is_set():
            self._killed = True
            self._signal(signal.SIGKILL)
            try:
                await asyncio.wait_for(self._exited.wait(), KILLED)
            except TimeoutError:
                logger.error(
                    "a killed worker does not end: it waits for a device",
                    extra={"worker": self.spec.worker_id, "pid": self.pid},
                )
                self._be_gone(unasked=False)
        await self._gone.wait()

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal to R's whole process group."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)


def _in_one_line(said: str) -> str:
    """Return the app's output as one line, so that it cannot forge a line of Sheen's."""
    return " ".join(said.split())


@contextlib.contextmanager
def _room(spec: WorkerSpec, own: PrivateFolder) -> Iterator[WorkerSpec]:
    """Yield the spec with a room for the worker, if it needs one and the machine allows it.

    The room's descriptor is closed afterwards; the worker's process keeps the room alive.
    """
    if not spec.hidden or not room.possible():
        yield spec
        return
    made = own.room(spec)
    try:
        yield dataclasses.replace(spec, room=made)
    finally:
        os.close(made)
