"""Spare instances: an app's very first visitor gets the app itself, and the pool is full again
after a while.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.apps import app
from tests.support.stack import StackProcess, free_port
from tests.support.waiting import until

pytestmark = pytest.mark.stack

HTML = {"accept": "text/html"}


@pytest.fixture
def own(open_folder: Path) -> Iterator[StackProcess]:
    running = StackProcess(open_folder / "spares", free_port(), spares="large=1")
    running.start()
    yield running
    running.stop()


def free_spares(stack: StackProcess) -> list[dict[str, Any]]:
    rows = [row for row in stack.instances() if row["version_id"] == "spare.large"]
    return [row for row in rows if row["state"] == "READY" and "bound_to" not in row]


def test_the_first_visitor_does_not_wait(own: StackProcess, tmp_path: Path) -> None:
    own.sweep()
    (spare,) = until(lambda: free_spares(own), 90, "a spare")
    assert "(spare, large)" in own.sheen("status").stdout
    own.publish(app(tmp_path / "echo"), "/first")
    first = own.get("/first/", HTML)
    assert first.status == 200
    assert b"sheen-config" in first.body
    instance = own.instance_of("/first")
    assert instance
    assert (instance["instance_id"], instance["state"]) == (spare["instance_id"], "READY")
    (another,) = until(lambda: free_spares(own), 90, "the pool to be full again")
    assert another["instance_id"] != spare["instance_id"]
