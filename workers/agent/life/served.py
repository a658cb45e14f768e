"""One app that is served: combines the parts of the agent that know the app."""

import asyncio
import contextlib
import dataclasses
import functools
import time
from collections.abc import Iterable
from pathlib import Path

import aiohttp
import boto3
from aiohttp import web
from multidict import CIMultiDict
from websockets.asyncio.client import ClientConnection

from agent import record
from agent.activity import Activity
from agent.http import analytics, r_socket, server
from agent.http.bodies import Answers, Handover, LargeBodies, LatePages, Objects, Uploads
from agent.http.client_files import ClientFiles
from agent.http.proxy import Proxy
from agent.http.session_urls import SessionUrls
from agent.kinds import runtimes
from agent.life.course import Life
from agent.life.crowd import Crowd
from agent.life.measuring import Measuring
from agent.life.seats import Seats
from agent.log import logger
from agent.processes import app_environment, app_folders
from agent.processes.app_copy import AppCopy
from agent.processes.app_role import AppRoles
from agent.processes.command import WorkerSpec
from agent.processes.oom import OomKills
from agent.processes.starter import Starter
from agent.processes.worker import Worker
from agent.processes.worker_log import WorkerLogs
from agent.processes.worker_row import WorkerRow
from agent.processes.workers import Workers
from agent.record import Record
from agent.sockets.carried import Ways
from agent.sockets.carriers import Carriers
from agent.sockets.gateway import Gateway
from agent.sockets.sessions import Sessions
from agent.sockets.sockjs import RelayApplication, SockJs
from chalicelib import layout
from chalicelib.aws.clients import client
from chalicelib.bodies.uploads import Wish
from chalicelib.clock import wall_clock
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.configuration.deployment import Settings
from chalicelib.instances import store
from chalicelib.instances.log_streams import LogStream
from chalicelib.instances.model import InstanceRef, VersionId
from chalicelib.instances.secret import Purpose
from chalicelib.sessions import passes, tickets
from machine import process, room
from relay import page
from relay.errors import AppExited, AppRestarted, ConnectionLost, ShuttingDown
from relay.settings import RelaySettings
from relay.transports.options import SockJsOptions

POSTS = 64
"""Posts to browsers at once, each on a kept-alive connection."""
POST_TIMEOUT = 10.0
LAST_SEATS = 3.0
"""Seconds to give back the last seats, of the 30 that ECS gives a task to end (FACTS E1)."""
LAST_LINES = 5.0
"""Seconds to send the last lines of the workers' logs, of the same 30."""


class Served:
    """An app on this instance: its workers, its sessions and everything that leads to them.

    ``life`` is the instance's. ``copy`` is the app's folder as its workers see it; ``found`` names
    it as the directory.
    """

    def __init__(
        self,
        found: Record,
        copy: AppCopy,
        client_dir: Path,
        settings: Settings,
        starter: Starter,
        life: Life,
        bookmarks: Path | None,
        aws: boto3.Session,
    ) -> None:
        self._life = life
        self._bookmarks = bookmarks
        self._record = found
        self._copy = copy
        self._settings = settings
        self._starter = starter
        self._runtime = runtimes.of(found.kind)
        if (
            not found.settings.preload
            or self._runtime.own_program(found.settings)
            or found.settings.exec_supervisor
            or not self._runtime.forks
        ):
            # Nothing is forked from the preloaded R, so it would only take memory.
            starter.close()
        self._unix_id = found.unix_id if process.is_root() else None
        if self._unix_id is None:
            logger.warning(
                "the agent is not root, so R runs as the agent's own user: it can read "
                "what that user can"
            )
        elif not room.possible():
            logger.info("workers have no mount namespaces of their own: that takes CAP_SYS_ADMIN")
        self._client = ClientFiles(client_dir)
        self._relay_settings = _relay_settings(found.settings)
        self._logs = WorkerLogs(settings.log_group, functools.partial(client, "logs"))
        self._oom_kills = OomKills()
        self._roles = AppRoles(
            settings.app_roles, found.location, VersionId.parse(found.ref.version_id).app_id
        )
        self._worker_row = WorkerRow(found.ref)
        self.workers = Workers(
            self._make_worker,
            found.settings.worker_limits,
            self,
            afresh=lambda number: self._make_worker(number, preload=False),
        )
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=POSTS, keepalive_timeout=60.0),
            timeout=aiohttp.ClientTimeout(total=POST_TIMEOUT),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._gateway = Gateway(
            settings.connections_url, aws.region_name, aws.get_credentials(), self._http
        )
        carriers = Carriers(self._gateway)
        self._sessions = Sessions(
            Ways(
                carriers,
                self._connect_worker,
                self._issue_ticket,
                time.monotonic,
                self._session_ended,
            ),
            self._relay_settings,
        )
        self._session_urls = SessionUrls(self._sessions)
        self._sockjs = SockJs(
            RelayApplication(self._sessions, carriers, self._session_of_ticket),
            SockJsOptions(
                websocket=self._relay_settings.websocket,
                disabled=self._relay_settings.disabled,
                heartbeat_delay=found.settings.sockjs_heartbeat_delay,
                disconnect_delay=found.settings.sockjs_disconnect_delay,
            ),
        )
        self.activity = Activity(self._busy, connected=lambda: self._sessions.active() > 0)
        self._seats = Seats(found.ref, self.workers.sessions, life.check)
        objects = Objects(
            settings.bucket,
            functools.partial(client, "s3"),
            aws.region_name,
            aws.get_credentials(),
            settings.bodies_url,
        )
        self._answers = Answers(found.ref, objects, lambda: self._worker_id(""))
        self._late_pages = LatePages(lambda: self._worker_id(""), self._has_seat)
        self._pages: dict[str, tuple[CIMultiDict[str], list[str]]] = {}
        """For each session, the headers of the request for its page, and the cookies that R set.

        R's WebSocket is opened with them.
        """
        self._crowd = Crowd(
            found.ref,
            self._sessions.waiting,
            lambda: len(self.workers.sessions()),
            lambda: self._record.settings,
            lambda session_id: self._sessions.end([session_id], ConnectionLost().ending),
            time.monotonic,
        )
        self._proxy = Proxy(
            self.workers,
            self._make_page,
            self._no_page,
            self._page_cookies,
            self._answers,
            self._late_pages,
            found.worker_prefix,
            self._page_seen,
            self._crowd.came,
        )
        self._uploads = Uploads(
            found.ref,
            objects,
            Handover(self.workers, self._proxy.client, objects),
            self._session_of_ticket,
            self._has_seat,
            self._accepts,
            lambda: self._record.settings.largest_upload,
        )

        self._renewing = asyncio.create_task(self._seats.run(), name="seats")
        self._making_room = asyncio.create_task(self._crowd.run(), name="crowd")
        efs = Path(settings.efs)
        measuring = Measuring(
            self.workers, copy, lambda: app_folders.usage(efs, layout.DATA, found.ref)
        )
        self._measuring = asyncio.create_task(measuring.run(), name="quotas")

    @property
    def app(self) -> server.App:
        """The parts to which the server passes requests."""
        return server.App(
            pages=self._visit,
            relay=self._sessions,
            workers=self.workers,
            activity=self.activity,
            client=self._client,
            orders=self,
            sockjs=self._sockjs.handle,
            bodies=LargeBodies(self._answers, self._uploads, self._late_pages).handle,
        )

    async def end(self) -> None:
        """End sessions and workers, and report that to the tables, logs and browsers."""
        ending = ShuttingDown().ending
        await self._sessions.end_all(ending.code, ending.reason)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._seats.settled(), LAST_SEATS)
        self._renewing.cancel()
        self._making_room.cancel()
        self._measuring.cancel()
        await self._uploads.close()
        await self._late_pages.close()
        await self._answers.close()
        await self.workers.close()
        await self._copy.remove()
        await self._roles.close()
        await self._logs.close(LAST_LINES)
        await self._worker_row.settled()
        await self._proxy.close()
        await self._sessions.close()
        self._sockjs.close()

    async def close(self) -> None:
        """Close the outgoing connections, after the last request was answered."""
        await self._gateway.close()
        await self._http.close()

    def _busy(self) -> bool:
        return bool(self.workers.users or self._sessions.active() or self._sessions.reserved())

    def _make_worker(self, number: int, *, preload: bool = True) -> Worker:
        app = self._record.settings
        spec = WorkerSpec(
            runtime=self._runtime,
            worker_id=f"{self._record.worker_prefix}.{number}",
            directory=self._record.directory,
            unix_id=self._unix_id,
            secret=self._record.key(Purpose.SHINY),
            sanitize_errors=app.sanitize_errors,
            init_timeout=app.app_init_timeout,
            library=self._record.library,
            preload=preload and app.preload,
            bookmarks=self._bookmarks,
            entrypoint=self._record.entrypoint,
            program=self._runtime.own_program(app),
            supervisor=app.exec_supervisor,
        )
        return Worker(
            spec,
            on_phase=self._life.reached,
            log=self._logs.open(LogStream.of(self._record.ref, spec.worker_id), app.preserve_logs),
            oom_kills=self._oom_kills,
            starter=self._starter.start,
            furnish=self._furnish,
        )

    async def _furnish(self, spec: WorkerSpec) -> WorkerSpec:
        await self._copy.made()
        variables = await app_environment.of_app(
            self._record, Path(self._settings.efs), self._unix_id, self._settings.secret_prefix
        )
        variables |= await self._roles.variables(self._record.settings.role)
        if self._unix_id is None:
            return dataclasses.replace(spec, environment=variables)
        groups = await app_environment.groups_of_app(self._record, self._settings.bucket)
        efs = Path(self._settings.efs)
        hidden, seen, links = await asyncio.to_thread(
            app_folders.view, self._record, efs, self._copy.version
        )
        copy = room.Seen(self._copy.path, self._copy.path, writable=True)
        return dataclasses.replace(
            spec,
            environment=variables,
            groups=groups,
            hidden=hidden,
            seen=(copy, *seen),
            links=links,
        )

    # Implements agent.http.server.Orders

    @property
    def takes_sessions(self) -> bool:
        """Whether new sessions may come."""
        return not self._life.retired

    async def restart(self) -> int:
        """Give new sessions new workers, by the current settings; return how many were retired."""
        self._record = await asyncio.to_thread(record.renewed, self._record)
        settings = self._record.settings
        self._life.settings = settings
        self._relay_settings = _relay_settings(settings)
        self._sessions.use(self._relay_settings)
        retired = self.workers.retire(settings.worker_limits, settings.max_retired_workers)
        await asyncio.to_thread(store.mark_capacity, self._record.ref, settings.worker_limits.seats)
        logger.info("restarted: new sessions get new workers", extra={"retired": retired})
        return retired

    def retire(self) -> None:
        """Take no new sessions, and report idle when the last session has left."""
        self._life.retire()

    def supersede(self) -> None:
        """Take no new sessions, and end the current ones: too many old versions still run."""
        self.retire()
        self._sessions.end(self._sessions.ids(), AppRestarted().ending)

    # Implements agent.life.course.Led

    async def catch_up(self) -> None:
        """Restart or retire if the app's row says so and this instance was not told."""
        missed = await asyncio.to_thread(record.missed, self._record)
        if missed == "restart":
            await self.restart()
        elif missed == "retire":
            self.retire()

    # Implements agent.processes.workers.Listener

    def changed(self) -> None:
        """Write the new set of workers to the instance's row."""
        self._worker_row.tell([worker.spec.worker_id for worker in self.workers.all])

    def superseded(self, worker: Worker, sessions: Iterable[str]) -> None:
        """End the sessions of a worker from before a restart: too many such workers are left."""
        logger.info(
            "R stops: too many are left from before", extra={"worker": worker.spec.worker_id}
        )
        self._sessions.end(sessions, AppRestarted().ending)

    def ended(self, worker: Worker, sessions: Iterable[str]) -> None:
        """End the sessions of a worker that has ended."""
        self._sessions.end(sessions, AppExited().ending)

    async def _connect_worker(self, session_id: str) -> ClientConnection:
        page_headers, set_cookies = self._pages.get(session_id, (CIMultiDict[str](), []))
        return await r_socket.connect(self.workers, session_id, page_headers, set_cookies)

    def _page_seen(
        self, session_id: str, page_headers: CIMultiDict[str], set_cookies: list[str]
    ) -> None:
        self._pages[session_id] = (page_headers, set_cookies)

    def _make_page(self, html: bytes, session_id: str, base: str) -> bytes:
        config = page.PageConfig(
            session=session_id,
            ticket=self._issue_ticket(session_id),
            websocket_url=self._settings.websocket_url,
            base=base,
            client_hash=self._client.entry_hash,
            worker=self._worker_id(session_id),
            settings=self._relay_settings,
        )
        self._sessions.reserve(session_id)
        more = analytics.element(self._record.settings.google_analytics_id)
        return page.inject(html, config, more)

    def _issue_ticket(self, session_id: str) -> str:
        return tickets.issue(
            session_id, self._record.ref, self._record.key(Purpose.TICKET), wall_clock()
        )

    async def _visit(self, request: web.Request, path: str) -> web.StreamResponse:
        refused = self._session_urls.refused(request.method, path, request.headers, request.host)
        return refused if refused is not None else await self._proxy.handle(request, path)

    def _page_cookies(self, session_id: str, base: str, request: web.Request) -> list[str]:
        secure = request.headers.get("X-Forwarded-Proto") == "https"
        visitor = passes.visitor_of("; ".join(request.headers.getall("Cookie", [])))
        self._sessions.belongs(session_id, visitor)
        ticket = self._issue_ticket(session_id)
        return [
            passes.set_cookie(ticket, base, secure=secure),
            *passes.set_visitor(visitor, base, secure=secure),
        ]

    def _session_of_ticket(self, ticket: str) -> str | None:
        def key_of(ref: InstanceRef) -> str | None:
            return self._record.key(Purpose.TICKET) if ref == self._record.ref else None

        try:
            return tickets.check(ticket, key_of, wall_clock()).session_id
        except tickets.BadTicket:
            return None

    def _accepts(self, session_id: str, wish: Wish) -> bool:
        if wish.method:
            return self._session_urls.is_open_to(session_id, wish.target)
        return self._sessions.accepts_upload(session_id, wish.target, wish.size)

    def _no_page(self, session_id: str) -> None:
        self._pages.pop(session_id, None)
        self._crowd.left(session_id)
        self.workers.leave(session_id)
        self._seats.give_back(session_id)

    def _worker_id(self, session_id: str) -> str:
        worker = self.workers.worker_of(session_id)
        return worker.spec.worker_id if worker is not None else f"{self._record.worker_prefix}.0"

    def _has_seat(self, session_id: str) -> bool:
        return session_id in self._sessions.ids()

    async def _session_ended(self, session_id: str) -> None:
        self.activity.touch()
        self._pages.pop(session_id, None)
        self._crowd.left(session_id)
        self.workers.leave(session_id)
        self._seats.give_back(session_id)
        await self._uploads.end(session_id)


def _relay_settings(app: AppSettings) -> RelaySettings:
    disabled = (
        ("websocket", *app.disable_protocols) if app.disable_websockets else app.disable_protocols
    )
    return RelaySettings(
        grace=app.reconnect_grace if app.reconnect else 0.0,
        reconnect=app.reconnect,
        disabled=tuple(dict.fromkeys(disabled)),
        heartbeat=app.sockjs_heartbeat_delay,
        session_timeout=app.app_session_timeout,
        connection_timeout=app.connection_timeout,
        read_timeout=app.read_timeout,
    )
