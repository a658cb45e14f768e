"""The programs that an app's settings name: ``exec_supervisor`` before R, another R, another
Python.
"""

import dataclasses
import os
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from agent.failure import AppStartFailed
from agent.kinds import shiny_python
from agent.processes.command import WorkerSpec
from agent.processes.preloaded import PreloadedProcess
from agent.processes.starter import Starter
from agent.processes.worker import Worker

MakeSpec = Callable[..., WorkerSpec]
Start = Callable[..., Awaitable[Worker]]


@pytest.fixture
async def start(spec: MakeSpec, preloaded: PreloadedProcess) -> AsyncIterator[Start]:
    """Starts workers as an instance does that could fork them, and ends them after the test."""
    workers: list[Worker] = []

    async def begin(app: str = "echo", **changes: Any) -> Worker:
        workers.append(
            Worker(
                dataclasses.replace(spec(app, number=len(workers) + 1), **changes),
                starter=Starter(preloaded).start,
            )
        )
        await workers[-1].start()
        return workers[-1]

    yield begin
    for worker in workers:
        await worker.stop()


def niceness(worker: Worker) -> int:
    stat = Path(f"/proc/{worker.pid}/stat").read_text()
    assert "(R)" in stat
    return int(stat.rpartition(")")[2].split()[16])


def executable(path: Path, shell: str) -> Path:
    path.write_text(f"#!/bin/sh\n{shell}\n")
    path.chmod(0o755)
    return path


async def test_a_supervisor_is_put_before_r(start: Start) -> None:
    usual = niceness(await start())
    assert niceness(await start(supervisor=("nice", "-n", "5"))) == usual + 5


async def test_a_supervisor_runs_as_the_apps_user_without_capabilities(start: Start) -> None:
    says = (
        'echo "as $(id -u):$(id -G)"; grep -E "CapBnd|CapEff|NoNewPrivs" /proc/self/status; '
        'exec "$@"'
    )
    worker = await start(supervisor=("sh", "-c", says, "sh"))
    user = worker.spec.unix_id
    if user is not None:
        assert f"as {user}:{user}\n" in worker.said
        assert worker.said.count("0000000000000000") == 2
    assert "NoNewPrivs:\t1" in worker.said


async def test_another_r_runs_the_app(start: Start, apps: Path) -> None:
    other = executable(apps / "other", 'echo "the other one"\nexec R "$@"')
    assert "the other one" in (await start(program=str(other))).said


async def test_another_python_runs_the_app(start: Start, apps: Path) -> None:
    other = executable(apps / "other", 'echo "the other one: $*"\nexit 3')
    with pytest.raises(AppStartFailed, match="exit status 3") as caught:
        await start("snake", runtime=shiny_python.RUNTIME, entrypoint="app:app", program=str(other))
    assert re.search(r"the other one: .*/start\.py", caught.value.said)


@pytest.mark.parametrize(
    ("changes", "setting", "program"),
    [
        ({"supervisor": ("nicer", "-n", "5")}, "exec_supervisor", "nicer"),
        ({"supervisor": ("./wrap",)}, "exec_supervisor", "./wrap"),
        ({"program": "/opt/R/9.9/bin/R"}, "r_path", "/opt/R/9.9/bin/R"),
        ({"program": "/etc/passwd"}, "r_path", "/etc/passwd"),
        (
            {"program": "/opt/python/bin/python", "runtime": shiny_python.RUNTIME},
            "python",
            "/opt/python/bin/python",
        ),
    ],
)
async def test_a_program_that_is_not_there_is_told_with_its_setting(
    start: Start, changes: dict[str, Any], setting: str, program: str
) -> None:
    with pytest.raises(
        AppStartFailed, match="program that the app's settings name is not there"
    ) as caught:
        await start(**changes)
    assert caught.value.said.startswith(
        f'setting {setting}: the image has no program "{program}"; name one that it has'
    )


async def test_a_supervisor_may_come_with_the_bundle(start: Start, apps: Path) -> None:
    executable(apps / "echo" / "wrap", 'echo "wrapped"\nexec "$@"')
    assert "wrapped" in (await start(supervisor=("./wrap",))).said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to drop")
async def test_a_program_that_the_apps_user_may_not_open_is_not_run_by_the_agents_rights(
    start: Start, apps: Path
) -> None:
    (apps / "others").mkdir(mode=0o700)
    shutil.copy("/usr/bin/nice", apps / "others" / "nice")
    with pytest.raises(AppStartFailed) as caught:
        await start(supervisor=(str(apps / "others" / "nice"), "-n", "5"))
    assert "the image has no program" in caught.value.said  # nor does it tell that there is one
