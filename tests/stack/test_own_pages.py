"""A configuration with templates and access logs, on the local stack."""

from __future__ import annotations

import asyncio
import re
import stat
from pathlib import Path

import pytest

from chalicelib.applying.model import POINTER
from chalicelib.configuration.applied import Content
from chalicelib.configuration.keys import applied_key
from tests.support.apps import app
from tests.support.stack import StackProcess
from tests.support.visitor import Visitor
from tests.support.waiting import until

pytestmark = pytest.mark.stack
PAGE = {"accept": "text/html"}
TEMPLATES = {
    "/t": {"error": "own {{status}} {{title}}", "waiting": "{{{sheen_head}}}<p>own waiting page"}
}


def apply(stack: StackProcess, text: str) -> None:
    content = Content("shiny-server.conf", text, TEMPLATES, {"load": "#load-average#"})
    bucket = next(each["Name"] for each in stack.client("s3").list_buckets()["Buckets"])
    stack.client("s3").put_object(Bucket=bucket, Key=applied_key("one"), Body=content.to_bytes())
    dynamodb = stack.client("dynamodb")
    (table,) = (
        name for name in dynamodb.list_tables()["TableNames"] if name.endswith("configurations")
    )
    item = {
        "record": {"S": POINTER[0]},
        "entry": {"S": POINTER[1]},
        "configuration": {"S": "one"},
        "number": {"N": "1"},
    }
    dynamodb.put_item(TableName=table, Item=item)


def test_visitors_see_the_operators_pages_and_each_request_and_socket_is_a_line(
    stack: StackProcess, tmp_path: Path
) -> None:
    log = tmp_path / "access.log"
    apply(
        stack,
        f'template_dir /t; access_log {log} ":method :url :status :response-time[0]";'
        "run_as shiny; log_dir /l; server { listen 80; location /none { site_dir /none; } }",
    )
    url = stack.publish(app(tmp_path / "owned"), "/owned", app_idle_timeout=60)
    until(lambda: stack.get("/gone").text.startswith("own 404"), within=30, what="the page")
    until(lambda: "own waiting page" in stack.get("/owned/", PAGE).text, within=30, what="waiting")
    until(lambda: "sheen-config" in stack.get("/owned/", PAGE).text, within=120, what="the app")

    async def visit() -> None:
        async with Visitor(url) as visitor:
            assert await visitor.say("hello") == "heard: hello"

    asyncio.run(visit())
    until(
        lambda: (
            log.exists() and re.search(r"^GET /owned/websocket/ 101 \d+$", log.read_text(), re.M)
        ),
        within=30,
        what="the socket's line",
    )
    lines = log.read_text().splitlines()
    assert any(re.fullmatch(r"GET \S*/gone 404 \d+", line) for line in lines)
    assert any(re.fullmatch(r"GET \S*/owned/ 202 \d+", line) for line in lines)
    assert stat.S_IMODE(log.stat().st_mode) & ~0o640 == 0
    health = stack.get("/__health-check__").text
    assert float(re.findall(r"memory-percent: (\S+)", health)[0]) > 0
    assert float(stack.get("/__health-check__/load").text) >= 0
