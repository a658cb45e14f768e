"""Carries out what concerns the instance as a whole: restart, retire, supersede."""

import asyncio

from agent import record
from agent.life.course import InstanceLife
from agent.life.worker_maker import WorkerMaker
from agent.log import logger
from agent.processes.workers import Workers
from agent.sockets.sessions import Sessions
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.instances import store
from relay.errors import AppRestarted
from relay.settings import RelaySettings


class Orders:
    """The orders of an instance's Lambda, or of its app's row."""

    def __init__(
        self, life: InstanceLife, maker: WorkerMaker, workers: Workers, sessions: Sessions
    ) -> None:
        self._life = life
        self._maker = maker
        self._workers = workers
        self._sessions = sessions
        self._catching_up = asyncio.Lock()

    @property
    def takes_sessions(self) -> bool:
        """Whether new sessions may come."""
        return not self._life.retired

    async def restart(self) -> int:
        """Give new sessions new workers, by the current settings; return how many were retired."""
        renewed = await asyncio.to_thread(record.renewed, self._maker.record)
        settings = renewed.settings
        self._maker.record = renewed
        self._life.settings = settings
        self._sessions.use(relay_settings(settings))
        retired = self._workers.retire(settings.worker_limits, settings.max_retired_workers)
        await asyncio.to_thread(store.mark_capacity, renewed.ref, settings.worker_limits.seats)
        logger.info("restarted: new sessions get new workers", extra={"retired": retired})
        return retired

    def retire(self) -> None:
        """Take no new sessions, and report idle when the last session has left."""
        self._life.retire()

    def supersede(self) -> None:
        """Take no new sessions, and end the current ones: too many old versions still run."""
        self.retire()
        self._sessions.end(self._sessions.ids(), AppRestarted().ending)

    async def catch_up_with(self, above: int) -> None:
        """Restart unless the layers above the app are those of this change, or later ones."""
        if above <= self._maker.record.above.number:
            return
        async with self._catching_up:
            if above > self._maker.record.above.number:
                await self.restart()

    async def catch_up(self) -> None:
        """Restart or retire if the app's row says so and this instance was not told."""
        missed = await asyncio.to_thread(record.missed, self._maker.record)
        if missed == "restart":
            await self.restart()
        elif missed == "retire":
            self.retire()


def relay_settings(app: AppSettings) -> RelaySettings:
    """Return the settings of an app's new sessions."""
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
