"""One app that is served: the parts of the agent that know the app, from their start to their end.

:func:`agent.life.composition.compose` puts them together.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field

import aiohttp

from agent.activity import Activity
from agent.http import server
from agent.http.asking import WorkerClient
from agent.http.bodies import KeptAnswers, LateAnswers, LatePages, Uploads
from agent.life.crowd import Crowd
from agent.life.listeners import SessionEnds, WorkerChanges
from agent.life.logins import Logins
from agent.life.measuring import Measurements
from agent.life.orders import Orders
from agent.life.seats import Seats
from agent.life.worker_maker import WorkerMaker
from agent.processes.app_folder import AppFolder
from agent.processes.worker_log import WorkerLogs
from agent.processes.worker_row import WorkerRow
from agent.processes.workers import Workers
from agent.sockets.gateway import Gateway
from agent.sockets.sessions import Sessions
from agent.sockets.sockjs import SockJs
from relay.errors import ShuttingDown

LAST_SEATS = 3.0
"""Seconds to give back the last seats, of the 30 that ECS gives a task to end (FACTS E1)."""
LAST_LINES = 5.0
"""Seconds to send the last lines of the workers' logs, of the same 30."""


@dataclass
class ServedApp:
    """An app on this instance: its workers, its sessions and everything that leads to them.

    Nothing runs before :meth:`start`.
    """

    app: server.AppParts
    """The parts to which the server passes requests."""
    worker_changes: WorkerChanges
    session_ends: SessionEnds
    workers: Workers
    maker: WorkerMaker
    copy: AppFolder
    logs: WorkerLogs
    row: WorkerRow
    sessions: Sessions
    sockjs: SockJs
    gateway: Gateway
    http: aiohttp.ClientSession
    """The connections to the browsers' gateway."""
    asking: WorkerClient
    kept: KeptAnswers
    late_answers: LateAnswers
    late_pages: LatePages
    uploads: Uploads
    seats: Seats
    crowd: Crowd
    logins: Logins
    measuring: Measurements
    activity: Activity
    orders: Orders
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        """Listen to workers and sessions, and begin the regular tasks."""
        self.maker.start()
        self.workers.listen(self.worker_changes)
        self.sessions.listen(self.session_ends.ended)
        self._tasks = [
            asyncio.create_task(self.seats.run(), name="seats"),
            asyncio.create_task(self.crowd.run(), name="crowd"),
            asyncio.create_task(self.logins.run(), name="logins"),
            asyncio.create_task(self.measuring.run(), name="quotas"),
        ]

    async def end(self) -> None:
        """End sessions and workers, and report that to the tables, logs and browsers."""
        ending = ShuttingDown().ending
        await self.sessions.end_all(ending.code, ending.reason)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.seats.settled(), LAST_SEATS)
        for task in self._tasks:
            task.cancel()
        await self.uploads.close()
        await self.late_pages.close()
        await self.late_answers.close()
        await self.kept.close()
        await self.workers.close()
        await self.copy.remove()
        await self.maker.close()
        await self.logs.close(LAST_LINES)
        await self.row.settled()
        await self.asking.close()
        await self.sessions.close()
        self.sockjs.close()

    async def close(self) -> None:
        """Close the outgoing connections, after the last request was answered."""
        await self.gateway.close()
        await self.http.close()
