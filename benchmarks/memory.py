"""The memory of workers, forked and fresh: PSS, which shares out what several processes have in
common (FACTS R4).
"""

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from websockets.asyncio.client import unix_connect

from agent.kinds import shiny_r
from agent.processes import fresh
from agent.processes.command import WorkerSpec
from agent.processes.preloaded import PreloadedProcess
from agent.processes.r_process import Starter
from agent.processes.worker import Worker
from machine import process
from tests.support import shiny_page

UNIX_ID = 271_828
MB = 1024
SECRET = "5ec2e7" * 8


def pss(pid: int) -> float:
    """Of one process, in MB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / MB
    raise ValueError(f"process {pid} has no PSS")


async def measure(
    app: Path, output: str, counts: Sequence[int]
) -> Mapping[str, Mapping[int, float]]:
    """Return PSS in MB of so many workers together after each has shown ``output``, by how they
    were started.

    The pre-loaded R itself is counted with the forked ones.
    """
    with tempfile.TemporaryDirectory(prefix="sheen-memory-") as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)  # noqa: ASYNC240
        shutil.copytree(app, folder / "app")
        forked: dict[int, float] = {}
        preloaded = PreloadedProcess()
        try:
            async with growing(folder / "app", output, preloaded.fork) as grow:
                for count in counts:
                    workers = await grow(count)
                    forked[count] = pss(preloaded.pid) + sum(
                        pss(worker.pid or 0) for worker in workers
                    )
        finally:
            preloaded.close()
        alone: dict[int, float] = {}
        async with growing(folder / "app", output, fresh.start) as grow:
            for count in counts:
                alone[count] = sum(pss(worker.pid or 0) for worker in await grow(count))
        return {"forked": forked, "fresh": alone}


@asynccontextmanager
async def growing(app: Path, output: str, starter: Starter) -> AsyncIterator["Grow"]:
    """Workers that become more, and end in the end."""
    grow = Grow(app, output, starter)
    try:
        yield grow
    finally:
        await asyncio.gather(*(worker.stop() for worker in grow.workers))


class Grow:
    """``await grow(count)``: there are so many workers, each of which has shown the output."""

    def __init__(self, app: Path, output: str, starter: Starter) -> None:
        self.workers: list[Worker] = []
        self._app = app
        self._output = output
        self._starter = starter

    async def __call__(self, count: int) -> list[Worker]:
        while len(self.workers) < count:
            spec = WorkerSpec(
                runtime=shiny_r.RUNTIME,
                worker_id=f"v.0.{len(self.workers) + 1}",
                directory=self._app,
                unix_id=UNIX_ID if process.is_root() else None,
                secret=SECRET,
                sanitize_errors=True,
                init_timeout=60.0,
            )
            worker = Worker(spec, starter=self._starter)
            self.workers.append(worker)
            await worker.start()
            await _show(worker, self._output)
        return self.workers


async def _show(worker: Worker, output: str) -> None:
    headers = {"shiny-shared-secret": SECRET}
    connector = aiohttp.UnixConnector(str(worker.socket_path))
    async with (
        aiohttp.ClientSession(connector=connector) as client,
        client.get("http://r/", headers=headers) as answer,
    ):
        page = await answer.text()
    how = unix_connect(
        str(worker.socket_path),
        "ws://r/websocket/",
        additional_headers=headers,
        max_size=None,
        proxy=None,
    )
    async with how as socket:
        await socket.send(shiny_page.init(page))
        while output not in (json.loads(await socket.recv()).get("values") or {}):
            pass
