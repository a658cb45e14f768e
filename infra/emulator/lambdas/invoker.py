"""Runs functions in warm environments, or starts one, or makes the invocation wait."""

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.emulator.aws_errors import AwsError
from infra.emulator.clock import Clock
from infra.emulator.console import Console
from infra.emulator.counters import Counters
from infra.emulator.errors import CannotStart
from infra.emulator.gateway.invoker import Invocation, InvocationRefused, Throttled
from infra.emulator.keys import Keys
from infra.emulator.lambdas.environment import ExecutionEnvironment
from infra.emulator.lambdas.function import Function
from infra.emulator.lambdas.quotas import Concurrency, InvocationTimes
from infra.emulator.lambdas.runtime_api import RuntimeApi
from infra.emulator.settings import ACCOUNT, REGION, EmulatorSettings

PAYLOAD_BYTES = 6_291_456
"""Limit of a synchronous invocation, for event and answer (FACTS H1)."""
RETRY_SECONDS = (1, 2)
"""Seconds before the second and third attempts of an event (FACTS H4).

On AWS they are one and two minutes.
"""
THROTTLED_RETRY_SECONDS = 1
REAP_EVERY_SECONDS = 15
PATIENCE_SECONDS = 0.025
"""Seconds that an invocation waits for a warm environment before another one is started.

AWS does not wait. Here a start takes as much processor time as dozens of warm invocations.
"""


@dataclass(slots=True)
class _Waiting:
    event: bytes
    trace_id: str
    outcome: asyncio.Future[Invocation]
    since: float


class _Pool:
    """The environments of one function, and the invocations that wait for one.

    An invocation that finds no idle environment takes the first that becomes free, or the one that
    is started for it.
    """

    def __init__(
        self, function: Function, limit: int, start: Callable[["_Pool"], ExecutionEnvironment]
    ) -> None:
        self.function = function
        self.idle: list[ExecutionEnvironment] = []
        self.all: set[ExecutionEnvironment] = set()
        self.waiting: deque[_Waiting] = deque()
        self._limit = limit
        self._start = start
        self._starting_at_once = max(2, os.cpu_count() or 1)

    def submit(self, waiting: _Waiting) -> None:
        """Run the invocation now, or when an environment becomes free."""
        if self.idle:
            self._give(self.idle.pop(), waiting)
            return
        self.waiting.append(waiting)
        if any(environment.ready for environment in self.all):
            asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._grow)
        else:
            self._grow()

    def became_idle(self, environment: ExecutionEnvironment) -> None:
        while self.waiting:
            waiting = self.waiting.popleft()
            if not waiting.outcome.done():
                self._give(environment, waiting)
                break
        else:
            self.idle.append(environment)
        self._grow()

    def ended(self, environment: ExecutionEnvironment) -> None:
        self.all.discard(environment)
        if environment in self.idle:
            self.idle.remove(environment)
        # The invocation for which it was started fails with it.
        if not environment.ready:
            while self.waiting:
                waiting = self.waiting.popleft()
                if not waiting.outcome.done():
                    waiting.outcome.set_result(environment.failure)
                    break
        self._grow()

    def _give(self, environment: ExecutionEnvironment, waiting: _Waiting) -> None:
        running = environment.run(waiting.event, waiting.trace_id)
        running.add_done_callback(
            lambda done: (
                None if waiting.outcome.done() else waiting.outcome.set_result(done.result())
            )
        )

    def _grow(self) -> None:
        starting = sum(not environment.ready for environment in self.all)
        long_ago = time.monotonic() - (PATIENCE_SECONDS if starting < len(self.all) else 0)
        patient = sum(waiting.since <= long_ago for waiting in self.waiting)
        wanted = min(
            patient - starting, self._limit - len(self.all), self._starting_at_once - starting
        )
        for _ in range(wanted):
            self.all.add(self._start(self))


class LambdaInvoker:
    """All functions of the package; implements :class:`infra.emulator.gateway.Invoker`."""

    def __init__(
        self,
        functions: Mapping[str, Function],
        api: RuntimeApi,
        runtime: Path,
        settings: EmulatorSettings,
        keys: Keys,
        counters: Counters,
        console: Console,
        variables: Callable[[Function], Mapping[str, str]],
        clock: Clock,
    ) -> None:
        """Create the invoker.

        ``variables`` returns what the deployment adds to a function's own environment. Raise
        :class:`CannotStart` if functions reserve more concurrent executions than exist.
        """
        self._clock = clock
        self._activity = InvocationTimes(functions, clock.time())
        try:
            self._concurrency = Concurrency(functions, settings.concurrency)
        except ValueError as error:
            raise CannotStart(f"the concurrency of the account is too small: {error}") from None
        self._api = api
        self._runtime = runtime
        self._settings = settings
        self._keys = keys
        self._counters = counters
        self._console = console
        self._variables = variables
        self._pools = {
            name: _Pool(function, settings.function_environments, self._start_environment)
            for name, function in functions.items()
        }
        self._tasks: set[asyncio.Task[None]] = set()
        self._reaper: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self) -> None:
        """Start the loop that ends idle environments."""
        self._reaper = asyncio.create_task(self._reap())

    async def stop(self) -> None:
        """End all environments."""
        self._stopping = True
        if self._reaper is not None:
            self._reaper.cancel()
        for task in list(self._tasks):
            task.cancel()
        environments = [environment for pool in self._pools.values() for environment in pool.all]
        await asyncio.gather(*(environment.stop() for environment in environments))

    def function(self, name: str) -> Function:
        """Return the function with that name or ARN; raise Lambda's own error if there is none."""
        name = name.split(":function:")[-1].split(":")[0]
        pool = self._pools.get(name)
        if pool is None:
            arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
            raise AwsError("ResourceNotFoundException", f"Function not found: {arn}", 404)
        return pool.function

    async def invoke(self, function: str, event: bytes) -> Invocation:
        """Run the function and wait for it.

        Raise :class:`Throttled` if too many run already or no environment became free within the
        function's own timeout. Raise :class:`infra.emulator.gateway.invoker.NotActive` if the
        function was idle for weeks.
        """
        pool = self._pools[self.function(function).name]
        if len(event) > PAYLOAD_BYTES:
            raise AwsError(
                "RequestTooLargeException",
                f"Request must be smaller than {PAYLOAD_BYTES} bytes for the "
                "InvokeFunction operation",
                413,
            )
        self._activity.use(pool.function.name, self._clock.time())
        self._concurrency.begin(pool.function.name)
        try:
            return await self._run(pool, event)
        finally:
            self._concurrency.end(pool.function.name)

    async def _run(self, pool: _Pool, event: bytes) -> Invocation:
        loop = asyncio.get_running_loop()
        waiting = _Waiting(event, _new_trace_id(), loop.create_future(), time.monotonic())
        self._counters.invocations[pool.function.name] += 1
        pool.submit(waiting)
        if pool.waiting:
            timer = loop.call_later(pool.function.timeout_seconds, self._throttle, pool, waiting)
            try:
                invocation = await waiting.outcome
            finally:
                timer.cancel()
        else:
            invocation = await waiting.outcome
        if len(invocation.payload) > PAYLOAD_BYTES:
            message = (
                "Response payload size exceeded maximum allowed payload size "
                f"({PAYLOAD_BYTES} bytes)."
            )
            error = f'{{"errorMessage":"{message}","errorType":"Function.ResponseSizeTooLarge"}}'
            return Invocation(error.encode(), "Unhandled")
        return invocation

    def invoke_event(self, function: str, event: bytes) -> None:
        """Queue the event, which runs later and is retried twice (FACTS H4)."""
        task = asyncio.create_task(self._run_event(self.function(function).name, event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_event(self, function: str, event: bytes) -> None:
        retries = iter(RETRY_SECONDS)
        while True:
            try:
                invocation = await self.invoke(function, event)
            except InvocationRefused:
                await asyncio.sleep(THROTTLED_RETRY_SECONDS)
                continue
            if invocation.function_error is None:
                return
            delay = next(retries, None)
            if delay is None:
                problem = invocation.payload[:500].decode(errors="replace")
                self._console.say(f"event dropped after three failures of {function}: {problem}")
                return
            await asyncio.sleep(delay)

    def _throttle(self, pool: _Pool, waiting: _Waiting) -> None:
        if waiting in pool.waiting:
            pool.waiting.remove(waiting)
            waiting.outcome.set_exception(
                Throttled(f"all environments of {pool.function.name} are busy")
            )

    def _start_environment(self, pool: _Pool) -> ExecutionEnvironment:
        function = pool.function
        environment = ExecutionEnvironment(
            function,
            self._api,
            self._runtime,
            {
                "AWS_REGION": REGION,
                "AWS_DEFAULT_REGION": REGION,
                "AWS_ENDPOINT_URL": self._settings.endpoint,
                **self._keys.lasting(function.principal).environment(),
                **function.environment,
                **self._variables(function),
            },
            python=self._settings.python,
            front=self._settings.endpoint.removeprefix("http://"),
            log=self._settings.logs / f"{function.name}.log",
            on_idle=pool.became_idle,
            on_end=lambda ended: None if self._stopping else pool.ended(ended),
        )
        self._counters.cold_starts[function.name] += 1
        task = asyncio.create_task(self._start(environment, pool))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return environment

    async def _start(self, environment: ExecutionEnvironment, pool: _Pool) -> None:
        try:
            await environment.start()
        except OSError as error:
            self._console.say(f"cannot start an environment of {pool.function.name}: {error}")
            pool.ended(environment)

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(REAP_EVERY_SECONDS)
            too_old = time.monotonic() - self._settings.function_idle_seconds
            for pool in self._pools.values():
                for environment in [known for known in pool.idle if known.idle_since < too_old]:
                    pool.idle.remove(environment)
                    environment.kill()


def _new_trace_id() -> str:
    return f"Root=1-{int(time.time()):08x}-{os.urandom(12).hex()};Parent={os.urandom(8).hex()};Sampled=0"  # noqa: E501
