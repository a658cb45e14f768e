"""One instance, from the task's start to its end.

It serves an app from the beginning, or it is a spare that is bound to an app later.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import boto3

from agent import log, record
from agent.http import server
from agent.life import metadata, reports
from agent.life.composition import compose
from agent.life.course import InstanceLife, LedApp
from agent.life.launch import Launch
from agent.life.reports import NotAwaited
from agent.life.served import ServedApp
from agent.log import logger
from agent.processes import state_folder
from agent.processes.app_copy import AppCopy
from agent.processes.app_folder import AppFolder
from agent.processes.in_place import InPlace
from agent.processes.starter import Starter
from agent.record import InstanceRecord
from chalicelib.agents import protocol
from chalicelib.configuration.deployment import Settings
from chalicelib.errors import Conflict, SheenError
from chalicelib.failures import Failure
from chalicelib.instances import spares
from chalicelib.instances.model import InstanceRef
from chalicelib.instances.secret import Purpose, key_for
from chalicelib.instances.state import Phase
from machine import process


class BoundElsewhere(Conflict):
    """The instance serves another app, or cannot be bound to the named one."""


async def serve(
    launch: Launch,
    settings: Settings,
    starter: Starter,
    on_life: Callable[[Callable[[], None]], None],
) -> int:
    """Lead the instance's whole life; return the process's exit status.

    ``starter`` starts R. ``on_life`` is called once, with the function to call when the task is to
    stop.
    """
    log.identify(launch.ref)
    efs = Path(settings.efs)
    spare = spares.is_spare(launch.ref.version_id)
    try:
        task = await metadata.identify(launch.metadata_url)
        found = None if spare else await asyncio.to_thread(record.load, launch.ref, efs)
        secret = (
            found.secret
            if found is not None
            else await asyncio.to_thread(record.spare_secret, launch.ref)
        )
        instance = _Instance(
            launch, settings, starter, task, secret, await asyncio.to_thread(boto3.Session)
        )
        if found is not None:
            await instance.serve(found)
        on_life(instance.life.end)
        return await instance.run()
    except SheenError as error:
        logger.error(str(error))
        with contextlib.suppress(NotAwaited):
            await reports.failed(launch.token, Failure.APP_START_FAILED, str(error))
        return 1


class _Instance:
    def __init__(
        self,
        launch: Launch,
        settings: Settings,
        starter: Starter,
        task: metadata.TaskIdentity,
        secret: str,
        aws: boto3.Session,
    ) -> None:
        self._launch = launch
        self._settings = settings
        self._starter = starter
        self._address = task.address
        self._aws = aws
        self._served: ServedApp | None = None
        self._ref: InstanceRef | None = None
        self._binding = asyncio.Lock()
        self._first: asyncio.Task[object] | None = None
        self.life = InstanceLife(
            launch.ref,
            launch.token,
            f"{task.address}:{protocol.PORT}",
            task.arn,
            self._start,
            self._find_app,
        )
        self._server = server.Server(
            launch.ref.instance_id, key_for(secret, Purpose.AGENT), self.life.watch, self.bind
        )

    async def run(self) -> int:
        """Serve until the life is over, then end all that was started.

        Raise :class:`agent.http.server.CannotListen`.
        """
        runner = server.runner(self._server.application())
        try:
            await server.listen(runner, self._address, protocol.PORT)
            return await self.life.run()
        finally:
            if self._served is not None:
                await self._served.end()
            await runner.cleanup()
            if self._served is not None:
                await self._served.close()
            logger.info("ended")

    async def serve(self, found: InstanceRecord) -> None:
        """Serve this app from here on."""
        unix_id = found.unix_id if process.is_root() else None
        copy: AppFolder
        if found.account is not None:
            copy = InPlace(found.directory, found.account)
        else:
            copy = AppCopy(found.directory, unix_id, slow=lambda: self.life.reached(Phase.FILES))
            copy.begin()
            found = replace(found, directory=copy.path)
        states = await asyncio.to_thread(
            state_folder.of_app, found, Path(self._settings.efs), unix_id
        )
        log.identify(found.ref, found.app)
        served = compose(
            found,
            copy,
            self._launch.client_dir,
            self._settings,
            self._starter,
            self.life,
            states,
            self._aws,
        )
        served.start()
        self._served, self._ref = served, found.ref
        self.life.lead(found, LedApp(served.workers, served.activity, served.orders.catch_up))
        self._server.serve(served.app)

    async def bind(self, instance: str) -> None:
        """Turn a spare into this instance; a repeated call does nothing.

        Raise :class:`chalicelib.errors.SheenError` if that is not possible.
        """
        try:
            ref = InstanceRef.parse(instance)
        except ValueError:
            raise BoundElsewhere(f"{instance[:100]!r} is no instance") from None
        async with self._binding:
            if ref == self._ref:
                return
            if self._ref is not None or ref.instance_id != self._launch.ref.instance_id:
                raise BoundElsewhere(
                    f"this is instance {self._ref or self._launch.ref}; it cannot be bound to {ref}"
                )
            await self.serve(
                await asyncio.to_thread(record.load_bound, ref, Path(self._settings.efs))
            )
            logger.info("bound", extra={"spare": str(self._launch.ref)})
            assert self._served is not None
            # The visitor's page follows at once and waits for this start. That page also reports a
            # failure.
            self._first = asyncio.create_task(self._served.workers.ready(), name="first start")
            self._first.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _find_app(self) -> None:
        """Bind this spare to the app that its row names.

        The binding process may have died before it could tell this spare.
        """
        ref = (await asyncio.to_thread(spares.rows_of, self._launch.ref))[0]
        if ref != self._launch.ref:
            await self.bind(str(ref))

    async def _start(self) -> None:
        if self._served is not None:
            await self._served.workers.ready()
            return
        await self._starter.loaded()
        # Do what takes long the first time, so that it is done when a visitor comes.
        await asyncio.to_thread(self._aws.get_credentials)
        await asyncio.to_thread(record.warm)
        process.stop_giving_way(*self._starter.pids)
