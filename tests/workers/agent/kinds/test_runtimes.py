"""Each kind that has an instance has a runtime, and a kind that nothing names starts like any."""

import dataclasses
from collections.abc import Callable

import aiohttp
import pytest

from agent.kinds import runtimes
from agent.processes.command import Runtime, WorkerSpec
from agent.processes.starter import Starter
from agent.processes.worker import Worker
from chalicelib.kinds import served
from tests.support import toy_kind

MakeSpec = Callable[..., WorkerSpec]


def test_each_kind_with_an_instance_has_a_runtime_and_no_other_has() -> None:
    assert runtimes.RUNTIMES.keys() == {kind.name for kind in served.KINDS if kind.has_instance}


@pytest.mark.parametrize("runtime", runtimes.RUNTIMES.values(), ids=lambda each: each.language)
def test_the_scripts_of_a_runtime_are_there(runtime: Runtime) -> None:
    assert all(script.is_file() for script in runtime.scripts)


async def test_a_new_kind_starts_and_serves_without_a_change_elsewhere(
    spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy_kind.use(monkeypatch)
    wanted = dataclasses.replace(
        spec("echo"), runtime=runtimes.of(toy_kind.KIND), entrypoint="a word"
    )
    phases: list[str] = []
    worker = Worker(wanted, on_phase=phases.append, starter=Starter().start)
    await worker.start()
    try:
        assert phases == ["app"]
        async with aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(str(worker.socket_path))
        ) as client:
            for secret, answer in ((wanted.secret, (200, "a word")), ("wrong", (403, ""))):
                headers = {"Shiny-Shared-Secret": secret}
                async with client.get("http://toy/", headers=headers) as got:
                    assert (got.status, await got.text()) == answer
    finally:
        await worker.stop()
    assert "The toy" not in worker.said
