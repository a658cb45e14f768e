"""Errands through the local stack: the row, its stream, the function with its rights, the row."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from chalicelib.aws.tables import bind
from chalicelib.configuration.deployment import Settings
from chalicelib.errands import asking, course
from chalicelib.errands.errors import ErrandFailed
from chalicelib.errands.model import Errand
from chalicelib.instances.model import InstanceRef
from chalicelib.lives.errands import STOP_INSTANCE
from tests.support.apps import app
from tests.support.connections import forget_connections
from tests.support.stack import StackProcess
from tests.support.waiting import until

pytestmark = pytest.mark.stack

APP = """
library(shiny)
shinyApp(fluidPage("here"), function(input, output) NULL)
"""


@pytest.fixture
def asker(stack: StackProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[StackProcess]:
    """The stack, with the table of errands bound to it as in a function."""
    for name, value in stack.environment().items():
        monkeypatch.setenv(name, value)
    forget_connections(Errand)
    bind(Settings.from_environment(), Errand)
    yield stack
    forget_connections(Errand)


def ask(kind: str, payload: Mapping[str, Any], limit: float = 60.0) -> str:
    return asking.ask(kind, payload, f"{kind} {time.time()}", limit, time.time())


def test_an_instance_is_stopped_on_request_and_the_app_starts_again_at_once(
    asker: StackProcess, tmp_path: Path
) -> None:
    asker.publish(app(tmp_path / "stopped", APP), "/stopped")
    asker.wake("/stopped/")
    row = asker.instance_of("/stopped")
    assert row is not None
    ref = InstanceRef(row["version_id"], int(row["slot"]), row["instance_id"])
    payload = {"instance": str(ref), "why": "The operator stopped it."}
    errand = ask(STOP_INSTANCE, payload)
    assert asking.wait(errand, time.time) == {"stopped": True}
    until(lambda: not _running(asker, row["task"]), what="the end of the task")
    asker.wake("/stopped/")
    again = asker.instance_of("/stopped")
    assert again is not None
    assert again["instance_id"] != ref.instance_id
    assert asking.wait(errand, time.time) == {"stopped": True}, "the answer is kept"
    with pytest.raises(ErrandFailed, match="There is no instance"):
        asking.wait(ask(STOP_INSTANCE, payload), time.time)


def _running(stack: StackProcess, task: str) -> bool:
    found = stack.client("ecs").describe_tasks(cluster=task.split("/")[1], tasks=[task])["tasks"]
    return any(each["lastStatus"] == "RUNNING" for each in found)


def test_what_is_refused_or_unknown_fails_at_once_with_the_reason(asker: StackProcess) -> None:
    with pytest.raises(ErrandFailed, match='takes "instance" and "why"'):
        asking.wait(ask(STOP_INSTANCE, {"instance": "a.v/0/i"}), time.time)
    with pytest.raises(ErrandFailed, match="does no errands of that kind"):
        asking.wait(ask("make-coffee", {}), time.time)


def test_one_whose_record_is_lost_fails_at_its_limit(asker: StackProcess) -> None:
    asker.control("POST", "/faults", {"stream_lose": 1})
    try:
        errand = ask(STOP_INSTANCE, {"instance": "a.v/0/i", "why": "x"}, limit=2.0)
        with pytest.raises(ErrandFailed, match=course.NOT_BEGUN):
            asking.wait(errand, time.time)
    finally:
        asker.control("POST", "/faults", {})
