"""The ids that Shiny makes are passes: they follow from nothing that a visitor can know."""

import json
import random
import re
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from shiny._utils import rand_hex
from websockets.asyncio.client import unix_connect

from agent.processes import fresh
from agent.processes.preloaded import PreloadedProcess
from agent.processes.worker import Worker

SERVE = Path(__file__).resolve().parents[3] / "workers" / "r" / "serve.R"


async def drawn(worker: Worker) -> dict[str, Any]:
    """Return the ids that a worker makes from a known state of R's generators."""
    headers = {"shiny-shared-secret": worker.spec.secret}
    connector = aiohttp.UnixConnector(str(worker.socket_path))
    async with (
        aiohttp.ClientSession(connector=connector) as client,
        client.get("http://r/", headers=headers) as answer,
    ):
        said: dict[str, Any] = json.loads(await answer.text())
    async with unix_connect(
        str(worker.socket_path), uri="ws://r/websocket/", additional_headers=headers
    ) as socket:
        said["session"] = json.loads(await socket.recv())["config"]["sessionId"]
    return said


async def test_ids_do_not_follow_from_the_state_of_rs_generators(
    spec: Any, preloaded: PreloadedProcess
) -> None:
    said = []
    for number, starter in enumerate((fresh.start, preloaded.fork, preloaded.fork), 1):
        worker = Worker(spec("ids", number=number), starter=starter)
        await worker.start()
        try:
            said.append(await drawn(worker))
        finally:
            await worker.stop()
    for name, digits in {"session": 32, "token": 32, "job": 24, "state": 16}.items():
        assert all(re.fullmatch(f"[0-9a-f]{{{digits}}}", each[name]) for each in said), name
        assert len({each[name] for each in said}) == len(said), name
    assert all(re.fullmatch("a-[0-9a-f]{4}-z", each["affixes"]) for each in said)
    assert all(each["untouched"] for each in said)
    assert (
        len({each["number"] for each in said}) == 1
    )  # set.seed() means in an app what it always means


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            "utils::assignInNamespace('createUniqueId', function(size) 'x', 'shiny')",
            "its createUniqueId has other arguments",
        ),
        (
            (
                "shiny:::FileUploadContext$set('public', 'createUploadOperation', "
                "function(infos) 'x', overwrite = TRUE)"
            ),
            "ids from elsewhere",
        ),
    ],
)
def test_a_shiny_that_makes_ids_in_another_way_is_told_of_in_the_log(
    changed: str, told: str, tmp_path: Path
) -> None:
    parameters = (
        "list(mark = 'm', secret = 's', sanitize_errors = 'true', socket = '/', bookmarks = '')"
    )
    script = f"{changed}\ntry(eval(parse('{SERVE}'))({parameters}))"
    said = subprocess.run(
        ["Rscript", "-e", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    ).stderr
    assert re.search(
        rf"WARNING: session ids can be guessed\..*{told}.*Publish the app with another "
        r"version of Shiny",
        said,
    ), said


def test_shiny_for_python_makes_its_ids_from_no_seed() -> None:
    drawn = []
    for _ in range(2):
        random.seed(42)
        drawn.append(rand_hex(16))
    assert drawn[0] != drawn[1] and all(re.fullmatch("[0-9a-f]{32}", each) for each in drawn)
