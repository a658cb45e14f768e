"""What only real AWS shows: a machine that vanishes without a word, and a claim of which no
function hears, keep nobody waiting.
"""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.apps import app
from tests.support.stack import StackProcess
from tests.support.waiting import until

pytestmark = pytest.mark.stack

APP = """
library(shiny)
shinyApp(fluidPage("here"), function(input, output) NULL)
"""
SOON = 12.0
"""Seconds: three to notice, three for the new connection, and what a loaded machine adds."""


def test_a_visitor_whose_instance_vanished_gets_another_in_seconds(
    stack: StackProcess, tmp_path: Path
) -> None:
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


def test_the_sweeper_starts_what_the_stream_did_not_tell(
    stack: StackProcess, tmp_path: Path
) -> None:
    stack.publish(app(tmp_path / "untold", APP), "/untold")
    before = stack.counters()["records_lost"]
    stack.control("POST", "/faults", {"stream_lose": 1})
    try:
        assert stack.get("/untold/", {"accept": "text/html"}).status == 202
        claimed = until(lambda: stack.instance_of("/untold"), what="the claim")
        stack.client("dynamodb").update_item(  # it was a while ago
            TableName=stack.environment()["SHEEN_TABLE_PREFIX"] + "instances",
            Key={"version_id": {"S": claimed["version_id"]}, "slot": {"N": str(claimed["slot"])}},
            UpdateExpression="SET claimed_at = :then",
            ExpressionAttributeValues={":then": {"N": str(time.time() - 200)}},
        )
        assert claimed["state"] == "STARTING"
        until(
            lambda: stack.counters()["records_lost"] > before,
            what="the claim's record to be missed",
        )
    finally:
        stack.control("POST", "/faults", {})
    stack.sweep()
    stack.wake("/untold/")
    started = stack.instance_of("/untold")
    assert started is not None and started["instance_id"] == claimed["instance_id"]


def test_the_functions_in_the_vpc_are_kept_active(stack: StackProcess) -> None:
    prefix = stack.environment()["SHEEN_TABLE_PREFIX"]
    before = stack.counters()["invocations"]
    event: dict[str, Any] = dict.fromkeys(
        ("id", "account", "time", "region", "source", "detail-type", "version"), ""
    ) | {"detail": {}, "resources": []}
    answer = stack.client("lambda").invoke(
        FunctionName=f"{prefix}keep_active", Payload=json.dumps(event)
    )
    assert "FunctionError" not in answer, answer["Payload"].read()
    in_vpc = [
        "websocket_connect",
        "websocket_message",
        "websocket_disconnect",
        "instance_watch",
        "agents_restart",
    ]
    for function in [prefix.removesuffix("-"), *(prefix + name for name in in_vpc)]:
        until(
            lambda: stack.counters()["invocations"].get(function, 0) > before.get(function, 0),  # noqa: B023
            what=f"{function} to be invoked",
        )
