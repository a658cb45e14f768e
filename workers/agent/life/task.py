"""The task as a process: its start parameters, its signals and its exit status."""

import asyncio
import signal
from collections.abc import Callable

from agent import log
from agent.life import instance
from agent.life.launch import Launch
from agent.log import logger
from agent.processes.preloaded import NoFork, PreloadedProcess
from agent.processes.starter import Starter
from chalicelib.apps.model import App, Version
from chalicelib.aws.tables import bind
from chalicelib.configuration.deployment import Settings
from chalicelib.errors import SettingMissing
from chalicelib.identity.model import Login
from chalicelib.instances.model import Instance
from chalicelib.syncs.model import Sync
from chalicelib.unix_ids.model import UnixUser


async def run(launch: Launch, settings: Settings, starter: Starter) -> int:
    """Serve until the life is over or SIGTERM comes; return the exit status."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)

    ends: list[Callable[[], None]] = []

    def on_life(end: Callable[[], None]) -> None:
        ends.append(end)
        if stopping.is_set():
            end()

    async def stop() -> None:
        await stopping.wait()
        logger.info("the task is being stopped")
        for end in ends:
            end()

    stopper = asyncio.create_task(stop(), name="stop")
    try:
        return await instance.serve(launch, settings, starter, on_life)
    finally:
        stopper.cancel()


def main(preloaded: PreloadedProcess | NoFork) -> int:
    """Read the start parameters and serve; return the exit status.

    ``preloaded`` is the R that was started first, or the reason why there is none.
    """
    log.include_libraries()
    if isinstance(preloaded, NoFork):
        logger.warning(f"workers are not forked: {preloaded}")
    starter = Starter(preloaded if isinstance(preloaded, PreloadedProcess) else None)
    try:
        settings = Settings.from_environment()
        launch = Launch.take()
        bind(settings, App, Version, Instance, Sync, UnixUser, Login)
        return _runner()(run(launch, settings, starter))
    except SettingMissing as error:
        logger.error(str(error))
        return 2
    finally:
        starter.close()


def _runner() -> Callable[..., int]:
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run
