"""One Lambda environment: a process that runs one invocation at a time."""

import asyncio
import json
import secrets
import signal
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from infra.emulator import children
from infra.emulator.gateway.invoker import Invocation
from infra.emulator.lambdas.function import Function
from infra.emulator.lambdas.runtime_api import Reply, RuntimeApi

BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
INIT_SECONDS = 60
"""Longest time from the process's start to its first request for work.

AWS allows ten seconds, but its machines are not as busy as this one.
"""


class ExecutionEnvironment:
    """A process of one function, from start to end."""

    def __init__(
        self,
        function: Function,
        api: RuntimeApi,
        runtime: Path,
        variables: Mapping[str, str],
        *,
        python: str,
        front: str,
        log: Path,
        on_idle: Callable[["ExecutionEnvironment"], None],
        on_end: Callable[["ExecutionEnvironment"], None],
    ) -> None:
        """Create the environment.

        ``runtime`` is the folder of AWS's runtime client. ``front`` is ``host:port``. ``on_idle``
        is called when the environment can take work.
        """
        self.function = function
        self.idle_since = time.monotonic()
        self._api = api
        self._runtime = runtime
        self._variables = variables
        self._python = python
        self._front = front
        self._log = log
        self._on_idle = on_idle
        self._on_end = on_end
        self._secret = secrets.token_urlsafe(24)
        self._stream = f"{time.strftime('%Y/%m/%d')}/[$LATEST]{uuid.uuid4().hex}"
        self._process: asyncio.subprocess.Process | None = None
        self._reply: Reply | None = None
        self._request_id = ""
        self._event: tuple[bytes, str] | None = None
        self._outcome: asyncio.Future[Invocation] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._watch: asyncio.Task[None] | None = None
        self._init_error: bytes | None = None
        self._how_it_ended = "the environment is gone"
        self._ended = False
        self._offered = False
        self.ready = False
        """Whether it has loaded its function."""

    async def start(self) -> None:
        """Start the process, which takes work as soon as it is ready."""
        function = self.function
        address = self._api.admit(self._secret, self)
        configuration = {
            "path": [str(function.code), *layer_paths(function), str(self._runtime)],
            "front": self._front,
            "in_vpc": function.in_vpc,
        }
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "LAMBDA_TASK_ROOT": str(function.code),
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.11",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": self._stream,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_RUNTIME_API": address,
            "_HANDLER": function.handler,
            **self._variables,
            "_EMULATOR_BOOTSTRAP": json.dumps(configuration),
        }
        with self._log.open("ab") as log:
            self._process = await children.start(
                [self._python, "-I", "-S", "-X", "utf8", str(BOOTSTRAP)],
                environment=environment,
                cwd=function.code,
                output=log,
            )
        self._watch = asyncio.create_task(self._watch_process())
        self._set_timer(INIT_SECONDS, self._init_too_slow)

    @property
    def failure(self) -> Invocation:
        """Return the result of an invocation whose environment ended."""
        if self._init_error is not None:
            return Invocation(self._init_error, "Unhandled")
        kind = "Runtime.ExitError" if self.ready else "Runtime.InitError"
        return _error(
            kind, f"RequestId: {self._request_id or uuid.uuid4()} Error: {self._how_it_ended}"
        )

    def run(self, event: bytes, trace_id: str) -> asyncio.Future[Invocation]:
        """Run one invocation; call this once after each ``on_idle``."""
        assert self._outcome is None
        self._offered = False
        outcome: asyncio.Future[Invocation] = asyncio.get_running_loop().create_future()
        self._outcome = outcome
        self._request_id = str(uuid.uuid4())
        self._event = (event, trace_id)
        if self._ended:
            self._finish(self.failure)
        elif self._reply is not None:
            self._deliver()
        return outcome  # without a reply, the environment is still returning from the last one

    async def stop(self) -> None:
        """End the process and wait for its end."""
        self._ended = True
        if self._process is not None:
            await children.stop(self._process, 0)
        if self._watch is not None:
            await self._watch

    def kill(self) -> None:
        """End the process without waiting."""
        if self._process is not None:
            children.signal_group(self._process, signal.SIGKILL)

    # Runtime API

    def asked_for_next(self, reply: Reply) -> None:
        """See :class:`RuntimeClient`."""
        self._reply = reply
        if not self.ready:
            self.ready = True
            self._clear_timer()
        if self._event is not None:
            self._deliver()
        elif self._outcome is None and not self._offered:
            self._became_idle()

    def answered(self, request_id: str, payload: bytes, *, is_error: bool) -> None:
        """See :class:`RuntimeClient`."""
        if request_id != self._request_id or self._outcome is None:
            return
        self._finish(Invocation(payload, "Unhandled" if is_error else None))
        self._became_idle()

    def init_failed(self, payload: bytes) -> None:
        """See :class:`RuntimeClient`."""
        self._init_error = payload

    # Internals

    def _deliver(self) -> None:
        assert self._reply is not None and self._event is not None
        event, trace_id = self._event
        reply, self._reply, self._event = self._reply, None, None
        timeout = self.function.timeout_seconds
        self._set_timer(timeout, self._too_slow)
        deadline_ms = int((time.time() + timeout) * 1000)
        reply.send(
            self._request_id,
            event,
            deadline_ms=deadline_ms,
            arn=self.function.arn,
            trace_id=trace_id,
        )

    def _became_idle(self) -> None:
        if not self._ended:
            self._offered = True
            self.idle_since = time.monotonic()
            self._on_idle(self)

    def _finish(self, invocation: Invocation) -> None:
        self._clear_timer()
        outcome, self._outcome, self._event = self._outcome, None, None
        if outcome is not None and not outcome.done():
            outcome.set_result(invocation)

    def _set_timer(self, seconds: float, callback: Callable[[], None]) -> None:
        self._clear_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, callback)

    def _clear_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._ended = True
        self._finish(_timed_out(self._request_id, self.function.timeout_seconds))
        self.kill()

    def _init_too_slow(self) -> None:
        self._ended = True
        self._how_it_ended = f"the function was not loaded within {INIT_SECONDS} s"
        self.kill()

    async def _watch_process(self) -> None:
        assert self._process is not None
        code = await self._process.wait()
        if not self._ended:
            how = f"exit status {code}" if code >= 0 else f"signal: {signal.Signals(-code).name}"
            self._how_it_ended = f"Runtime exited with error: {how}"
        self._ended = True
        self._clear_timer()
        self._api.dismiss(self._secret)
        children.signal_group(self._process, signal.SIGKILL)  # processes that it left behind
        if self._outcome is not None:
            self._finish(self.failure)
        self._on_end(self)


def layer_paths(function: Function) -> list[str]:
    """Return where Lambda looks for Python code in a layer, which it mounts at /opt."""
    places = (
        f"python/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages",
        "python",
    )
    return [str(layer / place) for layer in function.layers for place in places]


def _error(kind: str, message: str) -> Invocation:
    return Invocation(
        json.dumps({"errorType": kind, "errorMessage": message}).encode(), "Unhandled"
    )


def _timed_out(request_id: str, seconds: float) -> Invocation:
    return _error(
        "Sandbox.Timedout",
        f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds",
    )
