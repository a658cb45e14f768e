"""Shiny's own examples do the same in a forked worker as in a fresh one."""

import asyncio
import contextlib
import json
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import websockets.asyncio.client

from agent.processes import fresh
from agent.processes.command import WorkerSpec
from agent.processes.preloaded import PreloadedProcess
from agent.processes.r_process import Starter
from agent.processes.worker import Worker
from tests.support import shiny_page
from tests.support.stack import SHINY_EXAMPLES

EXAMPLES = [path.name for path in sorted(SHINY_EXAMPLES.iterdir())]
CHANGING = re.compile(
    r"\d\d:\d\d:\d\d|session/[0-9a-f]+/|w=[\w.-]+|\d{4}-\d\d-\d\d|nonce=\w+|tab-\d+(-\d+)?|data-tabsetid=.{1,2}\d+"
)
RANDOM = {"06_tabsets"}
"""Shows random numbers, which are others in each process; so only what kind of thing it shows is
compared.
"""


@pytest.fixture(scope="module")
def examples() -> Iterator[Path]:
    """A copy where a user of R's own can read them."""
    folder = Path(tempfile.mkdtemp(prefix="sheen-examples-"))
    shutil.copytree(SHINY_EXAMPLES, folder / "examples")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    yield folder / "examples"
    shutil.rmtree(folder)


@contextlib.asynccontextmanager
async def serving(spec: WorkerSpec, starter: Starter) -> AsyncIterator[Worker]:
    worker = Worker(spec, starter=starter)
    await worker.start()
    try:
        yield worker
    finally:
        await worker.stop()


async def first_outputs(worker: Worker) -> tuple[str, dict[str, Any]]:
    """The page, and what its outputs show at first."""
    headers = {"shiny-shared-secret": worker.spec.secret}
    connector = aiohttp.UnixConnector(str(worker.socket_path))
    async with (
        aiohttp.ClientSession(connector=connector) as client,
        client.get("http://r/", headers=headers) as answer,
    ):
        page = await answer.text()
        assert answer.status == 200, (worker.said, page)
    wanted, shown = shiny_page.outputs(page), dict[str, Any]()
    async with websockets.asyncio.client.unix_connect(
        str(worker.socket_path),
        uri="ws://r/websocket/",
        additional_headers=headers,
        max_size=None,
        proxy=None,
    ) as socket:
        await socket.send(shiny_page.init(page))
        async with asyncio.timeout(20):
            while wanted.keys() - shown.keys():
                told = json.loads(await socket.recv())
                shown |= {
                    name: value
                    for part in ("values", "errors")
                    for name, value in (told.get(part) or {}).items()
                }
    return page, shown


@pytest.mark.parametrize("name", EXAMPLES)
async def test_an_example_shows_the_same_forked_as_fresh(
    name: str, spec: Callable[..., WorkerSpec], examples: Path, preloaded: PreloadedProcess
) -> None:
    told = replace(spec("echo"), directory=examples / name)
    seen = []
    for starter in (fresh.start, preloaded.fork):
        async with serving(told, starter) as worker:
            page, shown = await first_outputs(worker)
            assert shown.keys() >= shiny_page.outputs(page).keys()
            if name in RANDOM:
                shown = {output: type(value).__name__ for output, value in shown.items()}
            seen.append(
                (CHANGING.sub("", page), CHANGING.sub("", json.dumps(shown, sort_keys=True)))
            )
    for one, other in zip(*seen, strict=True):
        at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
        assert one == other, (one[max(0, at - 80) : at + 80], other[max(0, at - 80) : at + 80])
