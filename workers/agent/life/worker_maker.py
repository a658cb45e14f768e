"""Makes the workers of one instance, by the app's current settings."""

import asyncio
import dataclasses
from pathlib import Path

from agent.kinds import runtimes
from agent.life.course import InstanceLife
from agent.log import logger
from agent.processes import app_environment, app_folders
from agent.processes.app_folder import AppFolder
from agent.processes.app_role import AppRoles
from agent.processes.command import USER, WorkerSpec
from agent.processes.in_place import InPlace
from agent.processes.oom import OomKills
from agent.processes.starter import Starter
from agent.processes.worker import Worker
from agent.processes.worker_log import WorkerLogs
from agent.record import InstanceRecord
from chalicelib import layout
from chalicelib.clock import wall_clock
from chalicelib.configuration.app_settings import BOOKMARKS_OFF
from chalicelib.configuration.deployment import Settings
from chalicelib.instances.log_streams import LogStream, file_name
from chalicelib.instances.model import VersionId
from chalicelib.instances.secret import Purpose
from machine import process, room
from machine.account import Account


class WorkerMaker:
    """Makes workers.

    ``copy`` is the app's folder as its workers see it; ``record`` names it as the directory.
    """

    def __init__(
        self,
        record: InstanceRecord,
        copy: AppFolder,
        settings: Settings,
        starter: Starter,
        life: InstanceLife,
        logs: WorkerLogs,
        bookmarks: Path | None,
    ) -> None:
        self.record = record
        """The app's record; a restart brings a new one."""
        self._copy = copy
        self._settings = settings
        self._starter = starter
        self._life = life
        self._logs = logs
        self._bookmarks = bookmarks
        self._unix_id = record.unix_id if process.is_root() else None
        self._oom_kills = OomKills()
        self._runtime = runtimes.of(record.kind)
        self._roles = AppRoles(
            settings.app_roles, record.app, VersionId.parse(record.ref.version_id).app_id
        )

    def start(self) -> None:
        """Say what protects the workers, and end the preloaded R if none is forked from it."""
        settings = self.record.settings
        if (
            not settings.preload
            or self._runtime.own_program(settings)
            or settings.exec_supervisor
            or not self._runtime.forks
        ):
            # Nothing is forked from the preloaded R, so it would only take memory.
            self._starter.close()
        if self._unix_id is None:
            logger.warning(
                "the agent is not root, so R runs as the agent's own user: it can read what that "
                "user can"
            )
        elif not room.possible():
            logger.info("workers have no mount namespaces of their own: that takes CAP_SYS_ADMIN")

    async def close(self) -> None:
        """Give up what was needed to make workers."""
        await self._roles.close()

    def make(self, number: int, *, preload: bool = True) -> Worker:
        app = self.record.settings
        spec = WorkerSpec(
            runtime=self._runtime,
            worker_id=f"{self.record.worker_prefix}.{number}",
            directory=self.record.directory,
            unix_id=self._unix_id,
            secret=self.record.key(Purpose.SHINY),
            sanitize_errors=app.sanitize_errors,
            init_timeout=app.app_init_timeout,
            library=self.record.library,
            preload=preload and app.preload,
            headers=app.whitelist_headers,
            keeps_bookmarks=app.bookmark_state_dir != BOOKMARKS_OFF,
            bookmarks=self._bookmarks,
            entrypoint=self.record.entrypoint,
            program=self._runtime.own_program(app),
            supervisor=app.exec_supervisor,
        )
        return Worker(
            spec,
            on_phase=self._life.reached,
            log=self._logs.open(
                LogStream.of(self.record.ref, spec.worker_id, self._log_file(number)),
                app.preserve_logs,
            ),
            oom_kills=self._oom_kills,
            starter=self._starter.start,
            furnish=self._furnish,
        )

    def _log_file(self, number: int) -> str:
        """Return the name of a worker's log file; empty if the app has no ``log_dir``."""
        if not self.record.settings.log_dir:
            return ""
        folder = self.record.app.rpartition("/")[2] or "root"
        worker = f"{self.record.ref.slot}.{number}"
        user = self.record.account.name if self.record.account is not None else USER
        return file_name(folder, user, wall_clock(), worker)

    async def _furnish(self, spec: WorkerSpec) -> WorkerSpec:
        await self._copy.made()
        variables = await app_environment.of_app(
            self.record, Path(self._settings.efs), self._unix_id, self._settings.secret_prefix
        )
        variables |= await self._roles.variables(self.record.settings.role)
        if self._unix_id is None:
            return dataclasses.replace(spec, environment=variables, startup=self._startup())
        groups = await app_environment.groups_of_app(self.record, self._settings.bucket)
        efs = Path(self._settings.efs)
        if self.record.account is not None:
            return await self._furnish_in_place(spec, self.record.account, groups, variables, efs)
        hidden, seen, links = await asyncio.to_thread(
            app_folders.view, self.record, efs, self._copy.version
        )
        copy = room.VisibleFolder(self._copy.path, self._copy.path, writable=True)
        return dataclasses.replace(
            spec,
            environment=variables,
            groups=groups,
            hidden=hidden,
            seen=(copy, *seen),
            links=links,
        )

    async def _furnish_in_place(
        self,
        spec: WorkerSpec,
        account: Account,
        groups: tuple[int, ...],
        variables: dict[str, str],
        efs: Path,
    ) -> WorkerSpec:
        """Complete the spec of an app in a folder: its user has a name, a home and groups."""
        if account.home == layout.home(efs, account.name):
            await asyncio.to_thread(app_folders.make_home, efs, account)
        hidden, seen, links = await asyncio.to_thread(
            app_folders.view_in_place, self.record, account, efs
        )
        return dataclasses.replace(
            spec,
            environment=variables,
            groups=tuple(dict.fromkeys((*account.groups, *groups))),
            account=account,
            home=account.home if self._has_home() else None,
            startup=self._startup(),
            hidden=hidden,
            seen=seen,
            links=links,
        )

    def _startup(self) -> tuple[str, ...] | None:
        look = self._copy.look if isinstance(self._copy, InPlace) else None
        return look.startup if look is not None else None

    def _has_home(self) -> bool:
        look = self._copy.look if isinstance(self._copy, InPlace) else None
        return look is not None and look.home
