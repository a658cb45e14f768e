"""What follows when a worker changes, and when a session ends."""

from collections.abc import Iterable

from agent.activity import Activity
from agent.http.bodies import Uploads
from agent.http.session_pages import SessionPages
from agent.log import logger
from agent.processes.worker import Worker
from agent.processes.worker_row import WorkerRow
from agent.processes.workers import Workers
from agent.sockets.sessions import Sessions
from relay.errors import AppExited, AppRestarted


class WorkerChanges:
    """Listens to the workers (:class:`agent.processes.workers.Listener`)."""

    def __init__(self, workers: Workers, row: WorkerRow, sessions: Sessions) -> None:
        self._workers = workers
        self._row = row
        self._sessions = sessions

    def changed(self) -> None:
        """Write the new set of workers to the instance's row."""
        self._row.tell([worker.spec.worker_id for worker in self._workers.all])

    def superseded(self, worker: Worker, sessions: Iterable[str]) -> None:
        """End the sessions of a worker from before a restart: too many such workers are left."""
        logger.info(
            "R stops: too many are left from before", extra={"worker": worker.spec.worker_id}
        )
        self._sessions.end(sessions, AppRestarted().ending)

    def ended(self, worker: Worker, sessions: Iterable[str]) -> None:
        """End the sessions of a worker that has ended."""
        self._sessions.end(sessions, AppExited().ending)


class SessionEnds:
    """Listens to the sessions, and gives back what an ended session had here."""

    def __init__(self, activity: Activity, pages: SessionPages, uploads: Uploads) -> None:
        self._activity = activity
        self._pages = pages
        self._uploads = uploads

    async def ended(self, session_id: str) -> None:
        """Give back the session's worker and seat, and abort its uploads."""
        self._activity.touch()
        self._pages.left(session_id)
        await self._uploads.end(session_id)
