"""What comes into a worker's log, from its start to each kind of end."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.failure import AppInitTimeout, AppStartFailed
from agent.processes.command import WorkerSpec
from agent.processes.oom import OomKills
from agent.processes.worker import Worker

MakeSpec = Callable[..., WorkerSpec]


class Log:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.ended: list[bool] = []

    def line(self, text: str) -> None:
        assert not self.ended
        self.lines.append(text)

    def end(self, well: bool) -> None:
        self.ended.append(well)


def counter(folder: Path, kills: int) -> OomKills:
    """The kernel's counter, at 0 and then at ``kills``."""
    (folder / "cgroup").write_text("0::/\n")
    file = folder / "memory.events"
    file.write_text("oom_kill 0\n")
    made = OomKills(folder, folder / "cgroup")
    file.write_text(f"oom_kill {kills}\n")
    return made


async def test_all_that_r_says_is_logged_between_its_start_and_its_end_and_nothing_of_sheens_own(
    spec: MakeSpec,
) -> None:
    log = Log()
    worker = Worker(spec("two"), log=log)
    await worker.start()
    assert log.lines[0] == f"[sheen] R starts (process {worker.pid})"
    assert "Rprofile was read" in "\n".join(log.lines)
    assert not log.ended
    await worker.stop()
    assert log.lines[-1] == "[sheen] R was asked to stop, and has ended"
    assert "Execution halted" not in "\n".join(log.lines) and worker.returncode == 0
    assert log.ended == [True]
    everything = "\n".join(log.lines)
    assert worker.spec.secret not in everything
    assert worker._mark not in everything
    assert str(worker._private) not in everything


async def test_a_start_that_fails_is_logged_with_its_reason(spec: MakeSpec) -> None:
    log = Log()
    with pytest.raises(AppStartFailed):
        await Worker(spec("crash"), log=log).start()
    assert any("the file sales.csv is missing" in line for line in log.lines)
    assert log.lines[-2] == "[sheen] R ended with exit status 1"
    assert "sanitize_errors=false" in log.lines[-1]
    assert log.ended == [False]


async def test_a_stop_that_r_does_not_heed_is_logged_as_that(
    spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "agent.processes.worker.STOP_STEPS", ((signal.SIGINT, 0.1), (signal.SIGTERM, 0.1))
    )
    log = Log()
    worker = Worker(spec("echo"), log=log)
    await worker.start()
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGSTOP)
    await worker.stop()
    assert (
        log.lines[-1] == "[sheen] R was asked to stop, did not within 0.2 seconds, and was killed"
    )


async def test_a_start_that_takes_too_long_is_logged_with_its_reason(spec: MakeSpec) -> None:
    log = Log()
    with pytest.raises(AppInitTimeout):
        await Worker(spec("slow", init_timeout=6.0), log=log).start()
    assert "thinking" in log.lines
    assert any("app_init_timeout" in line for line in log.lines)
    assert log.ended == [False]


async def test_an_r_that_cannot_be_started_at_all_is_logged(spec: MakeSpec) -> None:
    log = Log()
    with pytest.raises(AppStartFailed):
        await Worker(spec("missing"), log=log).start()
    assert "R could not be started" in log.lines[-1]
    assert log.ended[0] is False


async def test_a_start_that_lacks_a_secret_is_logged_with_its_name(spec: MakeSpec) -> None:
    async def furnish(_spec: WorkerSpec) -> WorkerSpec:
        raise AppStartFailed(
            "A secret that the app needs cannot be read.",
            "secret x/db (for DB_PASSWORD): there is none of that name",
        )

    log = Log()
    with pytest.raises(AppStartFailed):
        await Worker(spec("two"), log=log, furnish=furnish).start()
    assert log.lines == [
        (
            "[sheen] R was not started: A secret that the app needs cannot be read. secret "
            "x/db (for DB_PASSWORD): there is none of that name"
        )
    ]
    assert log.ended[0] is False


@pytest.mark.parametrize(
    ("kills", "words"),
    [(1, "because the instance ran out of memory"), (0, "was stopped by SIGKILL")],
)
async def test_a_kill_is_told_by_the_kernels_count(
    spec: MakeSpec, tmp_path: Path, kills: int, words: str
) -> None:
    log = Log()
    worker = Worker(spec("echo"), log=log, oom_kills=counter(tmp_path, kills))
    await worker.start()
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    await worker.gone()
    assert words in log.lines[-1]
    assert worker.out_of_memory is bool(kills)
    assert log.ended == [False]
