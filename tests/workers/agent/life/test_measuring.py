"""What becomes of an app that takes too much of its instance's disk."""

import types
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest

from agent.life.measuring import Measurements
from agent.processes import quota
from agent.processes.app_copy import MOST_COPIED, AppCopy
from agent.processes.worker import Worker, WorkerState
from agent.processes.workers import Workers
from machine.untrusted import Usage


async def test_an_app_that_fills_its_own_folder_gets_it_anew(
    started: Callable[..., Awaitable[Worker]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = tmp_path / "version"
    version.mkdir()
    (version / "app.R").write_text("1\n")
    copy = AppCopy(version, None)
    await copy.made()
    monkeypatch.setattr(quota, "COPY", 1_000_000)
    worker = await started("routes")
    measuring = Measurements(
        cast(Workers, types.SimpleNamespace(all=[worker])),
        copy,
        lambda: Usage(0, 0, complete=True),
    )

    await measuring.look_at_copy()
    assert worker.state is WorkerState.READY

    (copy.path / "large.csv").write_bytes(bytes(2_000_000))
    await measuring.look_at_copy()
    assert worker.state is WorkerState.EXITED
    await copy.made()
    assert [path.name for path in copy.path.iterdir()] == ["app.R"]
    await copy.remove()


def test_the_copys_quota_holds_the_largest_copy() -> None:
    assert quota.COPY >= 2 * MOST_COPIED
