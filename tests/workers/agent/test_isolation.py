"""What R code in an app can find out about the agent, and about other apps (DESIGN rule 5)."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agent.processes import fresh
from agent.processes.preloaded import PreloadedProcess
from agent.processes.r_process import Starter
from agent.processes.worker import Worker

Start = Callable[..., Awaitable[Worker]]
CANARY = "AKIACANARY"
KEEPER = """
import os, sys
from machine import process
process.shield()
sys.stdout.write("shielded\\n"); sys.stdout.flush()
sys.stdin.read()
"""


@pytest.fixture(params=["fresh", "forked"])
def starter(request: pytest.FixtureRequest) -> Starter:
    """Both ways to start R."""
    if request.param == "fresh":
        return fresh.start
    preloaded: PreloadedProcess = request.getfixturevalue("preloaded")
    return preloaded.fork


@pytest.fixture
async def agent_pid() -> AsyncIterator[int]:
    """A process that shields itself as the agent does, and has credentials in its environment."""
    environment = os.environ | {
        "AWS_SECRET_ACCESS_KEY": CANARY,
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": f"/v2/credentials/{CANARY}",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        KEEPER,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert await process.stdout.readline() == b"shielded\n"
    yield process.pid
    process.stdin.close()
    await process.wait()


async def probe(worker: Worker, pid: int, other: Path) -> dict[str, Any]:
    connector = aiohttp.UnixConnector(str(worker.socket_path))
    headers = {"shiny-shared-secret": worker.spec.secret}
    url = f"http://r/?probe={pid}&other={other}"
    async with (
        aiohttp.ClientSession(connector=connector) as client,
        client.get(url, headers=headers) as answer,
    ):
        found: dict[str, Any] = json.loads(await answer.text())
        return found


async def test_an_app_finds_no_credentials_and_no_way_to_the_agent(
    started: Start, agent_pid: int, apps: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "SHEEN_TASK_TOKEN",
        "SHEEN_BUCKET",
        "R_LIBS",
        "LD_PRELOAD_X",
    ):
        monkeypatch.setenv(name, CANARY)
    worker = await started("probe")
    found = await probe(worker, agent_pid, Path("/etc/hostname"))
    environment = found["environment"]
    assert CANARY not in json.dumps(
        {name: value for name, value in found.items() if name != "headers"}
    )
    assert not [name for name in environment if name.startswith(("AWS_", "SHEEN_", "ECS_"))]
    assert worker.spec.secret not in json.dumps(environment)
    assert found["agent_environ"] == ""
    assert found["agent_fds"] == []
    assert environment["WORKER_ID"] == worker.spec.worker_id
    assert found["directory"] == str(apps / "probe")
    assert found["temporary"].startswith(str(worker.folder))
    assert found["home"] == str(worker.folder / "home")


async def test_an_app_has_no_privileges_and_no_descriptor_of_the_agent(
    started: Start, agent_pid: int, tmp_path: Path
) -> None:
    held = (tmp_path / "secret").open("w")
    os.set_inheritable(held.fileno(), True)
    worker = await started("probe")
    found = await probe(worker, agent_pid, Path("/etc/hostname"))
    held.close()
    status = dict(line.split(":\t", 1) for line in found["status"].splitlines() if ":\t" in line)
    assert status["NoNewPrivs"] == "1"
    assert not [link for link in found["own_fds"] if link and "secret" in link]
    if worker.spec.unix_id is not None:
        user = str(worker.spec.unix_id)
        assert status["Uid"].split() == status["Gid"].split() == [user] * 4
        assert status["Groups"].strip() == ""
        assert {
            int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
        } == {0}
        assert found["agent_signal"] is False
        assert found["write_app"] is False


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give each app its own user")
async def test_an_app_reaches_no_other_apps_socket_or_files(started: Start, agent_pid: int) -> None:
    other = await started("echo")
    for name in ("run", "tmp", "home"):
        os.chown(other.folder / name, 314_159, 314_159)
    (other.folder / "home" / "data").write_text(CANARY)
    worker = await started("probe")
    found = await probe(worker, agent_pid, other.folder / "home" / "data")
    assert found["other"] == ""
