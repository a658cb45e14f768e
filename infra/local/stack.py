"""The whole local stack, put together: ``async with Stack(settings) as stack``."""

import asyncio
import dataclasses
import json
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from chalicelib import layout
from infra.declared import DECLARED, Declared, admin_environment
from infra.declared.place import REST_FUNCTION
from infra.emulator.clock import Clock
from infra.emulator.console import Console
from infra.emulator.control import Control
from infra.emulator.counters import Counters
from infra.emulator.datasync.execution import Copier
from infra.emulator.datasync.service import DataSync
from infra.emulator.dynamodb.streams import Streams, check_streams
from infra.emulator.ecs import cgroups, task_mounts
from infra.emulator.ecs.cgroups import ControlGroups
from infra.emulator.ecs.service import Ecs
from infra.emulator.ecs.task_metadata import TaskMetadata
from infra.emulator.endpoint.front import Front
from infra.emulator.errors import CannotGoOn, CannotStart
from infra.emulator.events.bus import BusRule, EventBus, FunctionTarget, StateMachineTarget
from infra.emulator.events.schedules import Schedules
from infra.emulator.faults import Faults
from infra.emulator.gateway import AWS, RestApi, TokenBucket, WebSocketApi
from infra.emulator.kept.changes import DataChanges
from infra.emulator.kept.data import KeptObjects, KeptTables
from infra.emulator.kept.secrets import KeptSecrets
from infra.emulator.keys import ADMIN, DATASYNC, Keys
from infra.emulator.lambdas.api import LambdaApi
from infra.emulator.lambdas.invoker import LambdaInvoker
from infra.emulator.lambdas.runtime_api import RuntimeApi
from infra.emulator.logs.service import LogGroupFiles, LogsApi
from infra.emulator.moto.client import Moto
from infra.emulator.rights import Guard
from infra.emulator.rights.files import FileRoles
from infra.emulator.s3.events import S3Events
from infra.emulator.s3.shown import Shown, ShownFolders
from infra.emulator.settings import REGION
from infra.local import checks, configured, roles
from infra.local.access_logs import AccessLogFiles, in_bucket
from infra.local.app_logs import AppLogs
from infra.local.configured import ConfiguredMachine
from infra.local.containers import Containers, task_definitions
from infra.local.declare import create_state_machines, create_storage, create_topics
from infra.local.package import Package, cache_folder, link_runtime, make_package
from infra.local.place import local_place
from infra.local.settings import LocalSettings

ENVIRONMENT_FILE = "environment.json"
"""File in the data folder with the variables for awscli, boto3 and ``sheen``."""


class _Kept(NamedTuple):
    """What survives a restart."""

    tables: KeptTables
    objects: KeptObjects
    secrets: KeptSecrets


class _Services(NamedTuple):
    """The services behind the endpoint, beside Lambda's."""

    guard: Guard
    app_roles: FileRoles
    bus: EventBus
    ecs: Ecs
    datasync: DataSync
    streams: Streams


class Stack:
    """Every service, from start to stop.

    Raise :class:`infra.emulator.errors.CannotStart` if something keeps it from starting.
    """

    def __init__(
        self,
        settings: LocalSettings,
        declared: Declared = DECLARED,
        console: Console | None = None,
        app: str = "sheen",
        *,
        in_foreground: bool = False,
    ) -> None:
        """Create the stack.

        ``app`` is the Chalice app's name, with which all names begin. With ``in_foreground``,
        Ctrl-C and SIGTERM end the ``async with``, wherever it is, and with it the stack.
        """
        self.settings = settings
        self.declared = declared
        self.console = console or Console()
        self.place = local_place(settings, app)
        self.counters = Counters()
        self.clock = Clock()
        self.faults = Faults()
        self._machine: ConfiguredMachine | None = None
        self._front: Front | None = None
        self._in_foreground = in_foreground
        self._interrupted = False
        self._started = AsyncExitStack()
        self._moto = Moto(settings)

    @classmethod
    def from_environment(cls) -> Self:
        """Return a stack with the settings of the environment, in the foreground of a terminal."""
        return cls(LocalSettings.from_environment(), in_foreground=True)

    def environment(self) -> dict[str, str]:
        """Return the variables that point awscli, boto3 and the ``sheen`` command at this stack."""
        return {
            "AWS_ENDPOINT_URL": self.settings.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "SHEEN_URL": self.settings.endpoint,
            **self._keys.lasting(ADMIN).environment(),
            **(admin_environment(self.place) if self.declared is DECLARED else {}),
        }

    async def __aenter__(self) -> Self:
        self._listen_for_signals()
        try:
            checks.check_tools()
            checks.make_folders(self.settings)
            self._started.callback(checks.DataLock(self.settings.data).release)
            checks.check_port(self.settings.port)
            await self._start()
        except BaseException as error:
            await self._started.aclose()
            if self._interrupted and isinstance(error, asyncio.CancelledError):
                raise CannotStart("stopped before the local stack was up") from None
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self.console.say("stopping the local stack")
        await self._started.aclose()
        return self._interrupted and isinstance(error, asyncio.CancelledError)

    async def take(self, machine: ConfiguredMachine) -> None:
        """Let visitors see these trees, by these ports, and apps run as these users.

        What was taken before is given up. Raise :class:`CannotStart` if a port cannot be opened;
        then nothing changes.
        """
        assert self._front is not None
        if self.settings.image is not None:
            raise CannotStart(
                "apps in folders of this machine do not run in an image: unset SHEEN_IMAGE"
            )
        await self._front.listen(machine.listeners)
        configured.link(self.settings.efs, machine)
        await configured.write_users(self._moto, self.place, machine)
        self._machine = machine

    async def stopped(self) -> None:
        """Wait until a signal ends the ``async with``.

        Raise :class:`CannotGoOn` if a part of the stack ends first.
        """
        await self._moto.ended()
        raise CannotGoOn(f"moto has ended: see {self.settings.logs / 'moto.log'}")

    def _listen_for_signals(self) -> None:
        if not self._in_foreground:
            return
        loop, main = asyncio.get_running_loop(), asyncio.current_task()
        assert main is not None

        def interrupt() -> None:
            if not self._interrupted:  # only once: let the shutdown finish
                self._interrupted = True
                main.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupt)
            self._started.callback(loop.remove_signal_handler, number)

    async def _start(self) -> None:
        # Find them first: other processes would be in the same control group.
        groups = self._control_groups()
        self._keys = Keys(self.settings.data / "keys.json")
        package = await self._start_moto()
        kept = await self._restore()
        invoker = await self._start_lambdas(package)
        services = await self._start_services(package, invoker, groups)
        for one in kept:
            one.start()
            self._started.push_async_callback(one.stop)
        await self._start_front(package, invoker, services, kept)
        await create_state_machines(self._moto, self.declared, self.place)
        await self._start_clockwork(package, invoker, services)
        self._write_environment(self.settings.data / ENVIRONMENT_FILE)
        if (why := task_mounts.why_not()) is not None:
            self.console.say(f"every task sees all of the file system: {why}")
        self.console.say(f"the local stack is up at {self.settings.endpoint}")

    def _control_groups(self) -> ControlGroups | None:
        found = cgroups.find()
        if isinstance(found, str):
            self.console.say(f"tasks are not held to the memory of their size: {found}")
            return None
        return found

    async def _start_moto(self) -> Package:
        """Start moto with what is declared, and package the functions meanwhile."""
        console, place, declared = self.console, self.place, self.declared
        console.say("packaging the Lambdas")
        packaging = asyncio.create_task(self._package())
        self._started.push_async_callback(self._moto.stop)
        await self._moto.start(
            {
                place.role_arn(machine.role): self._keys.lasting(f"machine:{machine.name}")
                for machine in declared.state_machines
            }
        )
        console.say("moto is up: DynamoDB, S3, Step Functions, SQS, Secrets Manager")
        await create_storage(self._moto, declared, place)
        await create_topics(self._moto, declared, place)
        package = await packaging
        self._started.callback(package.in_use.close)
        console.say(f"packaged {len(package.functions)} functions")
        return package

    async def _restore(self) -> _Kept:
        """Give moto the data of before."""
        settings, console, place, declared = self.settings, self.console, self.place, self.declared
        tables = KeptTables(
            settings.data / "dynamodb",
            [place.name(table.name) for table in declared.tables if table.kept],
            self._moto,
            console,
        )
        objects = KeptObjects(
            settings.data / "s3", place.bucket, self._moto, console, declared.bucket.expiring
        )
        secrets = KeptSecrets(settings.data / "secrets.json", self._moto, console)
        items, files = await tables.restore(), await objects.restore() + await secrets.restore()
        if items or files:
            console.say(f"found {files} objects and {items} items of before")
        return _Kept(tables, objects, secrets)

    async def _start_services(
        self, package: Package, invoker: LambdaInvoker, groups: ControlGroups | None
    ) -> _Services:
        """Start the services that run or copy something."""
        settings, console, place, declared = self.settings, self.console, self.place, self.declared
        app_roles = FileRoles(settings.data / "roles", place.app_role_arn(""), self._keys)
        guard = roles.guard(
            declared,
            place,
            lambda task: ecs.role_of(task),
            console.say,
            app_roles.policy,
            lambda arn: datasync.tags_of(arn),
        )
        of_function = {
            place.function_name(function.name): function.role for function in declared.functions
        }
        check_streams(guard, package.streams, of_function.__getitem__)
        bus = EventBus(self._rules(package), self._moto, invoker, guard, console)
        self._started.push_async_callback(bus.stop)
        metadata = TaskMetadata()
        await metadata.start()
        self._started.push_async_callback(metadata.stop)
        ecs = Ecs(
            settings,
            place.cluster,
            task_definitions(declared, place),
            Containers(settings).make,
            self._keys,
            self.counters,
            metadata,
            bus,
            self.faults.no_capacity,
            groups,
        )
        self._started.push_async_callback(ecs.stop)
        datasync = DataSync(
            settings,
            self._keys.lasting(DATASYNC),
            bus,
            self.faults.transfer,
            Copier(
                [settings.python, "-m", "infra.local.transfer"],
                {"PYTHONPATH": f"{settings.tree}:{settings.chalice_app}"},
            ),
            access_point=layout.SYNCED,
            tags=place.tags,
        )
        self._started.push_async_callback(datasync.stop)
        streams = Streams(package.streams, self._moto, invoker, console, self._stream_lost)
        await streams.start()
        self._started.push_async_callback(streams.stop)
        return _Services(guard, app_roles, bus, ecs, datasync, streams)

    async def _start_front(
        self, package: Package, invoker: LambdaInvoker, services: _Services, kept: _Kept
    ) -> None:
        """Open the one endpoint, with both APIs."""
        # Both APIs share one rate (FACTS W7).
        requests = TokenBucket(AWS.requests, AWS.request_burst)
        limits = self.place.throttle
        websockets = WebSocketApi(
            package.websockets,
            invoker,
            self.faults,
            self.clock,
            throttle=requests,
            stage=TokenBucket(limits.messages_per_second, limits.message_burst),
        )
        in_vpc = {function.principal for function in package.functions.values() if function.in_vpc}
        front = Front(
            self.settings,
            self._keys,
            self.counters,
            self._moto,
            RestApi(
                package.rest,
                invoker,
                self.faults,
                self.clock,
                throttle=requests,
                stage=TokenBucket(limits.requests_per_second, limits.request_burst),
            ),
            websockets,
            {
                "lambda": LambdaApi(invoker).handle,
                "ecs": services.ecs.handle,
                "datasync": services.datasync.handle,
                "events": services.bus.handle,
                "logs": self._logs().handle,
                "s3": ShownFolders(self._shown).handle,
                "sts": services.app_roles.handle,
                "execute-api": lambda request, _operation, _body, _key: websockets.manage(request),
            },
            DataChanges(
                kept.tables,
                kept.objects,
                services.streams,
                S3Events(self._moto, services.bus),
                kept.secrets,
                self.place.bucket,
            ),
            services.guard,
            in_vpc.__contains__,
            lambda principal, what: self.console.say(
                f"{principal} is in the VPC and cannot reach {what} (FACTS E6b)"
            ),
        )
        await front.start()
        self._front = front
        self._started.push_async_callback(front.stop)
        self._started.push_async_callback(websockets.close)

    def _shown(self) -> Sequence[Shown]:
        return self._machine.shown(self.place.bucket) if self._machine is not None else ()

    async def _start_clockwork(
        self, package: Package, invoker: LambdaInvoker, services: _Services
    ) -> None:
        """Start the schedules, and the socket by which tests control the stack."""
        schedules = Schedules(package.schedules, invoker, self.clock, self.console)
        schedules.start()
        self._started.push_async_callback(schedules.stop)
        control = Control(
            self.settings.run / "control.sock",
            self.counters,
            self.faults,
            self.clock,
            services.guard.report,
            services.ecs.vanish,
        )
        await control.start()
        self._started.push_async_callback(control.stop)

    async def _package(self) -> Package:
        place = dataclasses.replace(
            # The package does not depend on the port and the folder.
            local_place(LocalSettings(), self.place.app),
            reserves=self.declared.can_reserve(self.settings.concurrency),
        )
        return await asyncio.to_thread(
            make_package,
            self.settings.chalice_app,
            self.settings.python,
            self.declared,
            place,
            cache_folder(),
        )

    async def _start_lambdas(self, package: Package) -> LambdaInvoker:
        variables = {
            self.place.function_name(function.name): self.declared.environment_of(
                self.place, function
            )
            for function in self.declared.functions
        }

        api = RuntimeApi()
        await api.start()
        self._started.push_async_callback(api.stop)
        invoker = LambdaInvoker(
            package.functions,
            api,
            link_runtime(self.settings.data / "build" / "runtime"),
            self.settings,
            self._keys,
            self.counters,
            self.console,
            lambda function: variables[function.name],
            self.clock,
        )
        access_logs = AccessLogFiles(
            [
                self.settings.logs / f"{self.place.function_name(name)}.log"
                for name in (REST_FUNCTION, "websocket_disconnect")
            ],
            in_bucket(self._moto, self.place.bucket),
            self.console.say,
        )
        access_logs.start()
        self._started.push_async_callback(access_logs.stop)
        invoker.start()
        self._started.push_async_callback(invoker.stop)
        return invoker

    def _stream_lost(self, number: int) -> bool:
        lost = self.faults.stream_lost(number)
        self.counters.records_lost += lost
        return lost

    def _logs(self) -> LogsApi:
        names = AppLogs(self._moto, self.place)
        return LogsApi(
            {
                self.place.log_group(group.name): LogGroupFiles(
                    self.settings.logs / group.name, group.retention_days, names.file_name
                )
                for group in self.declared.log_groups
            }
        )

    def _rules(self, package: Package) -> list[BusRule]:
        return [
            *(
                BusRule(
                    rule.pattern(self.place),
                    StateMachineTarget(self.place.state_machine_arn(rule.state_machine), rule.role),
                )
                for rule in self.declared.rules
            ),
            *(
                BusRule(trigger.pattern, FunctionTarget(trigger.function))
                for trigger in package.rules
            ),
        ]

    def _write_environment(self, path: Path) -> None:
        path.touch(mode=0o600)
        path.write_text(json.dumps(self.environment(), indent=1))
