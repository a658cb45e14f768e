"""``python -m agent``: an ECS task's program."""

import asyncio
import signal
import sys
from collections.abc import Callable

from agent import instance, log, process
from agent.launch import Launch
from agent.log import logger
from chalicelib.apps.model import App
from chalicelib.errors import SettingMissing
from chalicelib.instances.model import Instance
from chalicelib.settings import Settings
from chalicelib.tables import bind


async def run(launch: Launch, settings: Settings) -> int:
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
        return await instance.serve(launch, settings, on_life)
    finally:
        stopper.cancel()


def main() -> int:
    """Shield this process, read what it was told, and serve."""
    process.shield()
    process.adopt_orphans()
    log.include_libraries()
    try:
        settings = Settings.from_environment()
        launch = Launch.take()
    except SettingMissing as error:
        logger.error(str(error))
        return 2
    bind(settings, App, Instance)
    return _runner()(run(launch, settings))


def _runner() -> Callable[..., int]:
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run


if __name__ == "__main__":
    sys.exit(main())
