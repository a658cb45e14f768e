"""An instance whose machine vanishes without a word keeps nobody waiting."""

import time
from pathlib import Path

import pytest

from tests.support.apps import app
from tests.support.stack import StackProcess

pytestmark = pytest.mark.stack

APP = """
library(shiny)
shinyApp(fluidPage("here"), function(input, output) NULL)
"""
SOON = 12.0
"""Seconds: three to notice, three for the new connection, and what a loaded machine adds."""


def test_a_visitor_whose_instance_vanished_gets_another_in_seconds(stack: StackProcess, tmp_path: Path) -> None:
    folder = app(tmp_path / "vanish", APP)
    app(folder / "www", "here", "dot.txt")
    stack.publish(folder, "/vanish", max_instances=2)
    stack.wake("/vanish/")
    assert stack.get("/vanish/dot.txt").text == "here"
    lost = stack.instance_of("/vanish")
    assert lost is not None
    assert stack.control("POST", "/vanish", {"task": lost["task"]})["sockets"]
    began = time.monotonic()
    page = stack.get("/vanish/", {"accept": "text/html"})
    assert time.monotonic() - began < SOON
    assert page.status in (200, 202), "the app, or the page that waits for its start"
    stack.wake("/vanish/")
    other = stack.instance_of("/vanish")
    assert other is not None and other["instance_id"] != lost["instance_id"]
    began = time.monotonic()
    for _ in range(5):
        assert stack.get("/vanish/dot.txt").status == 200
    assert time.monotonic() - began < SOON, "the lost instance is remembered as lost"
    stack.client("ecs").stop_task(cluster=lost["task"].split("/")[1], task=lost["task"])
