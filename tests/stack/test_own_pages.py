"""A configuration with templates and access logs, on the local stack."""

from __future__ import annotations

import asyncio
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.apps import app
from tests.support.stack import StackProcess
from tests.support.visitor import Visitor
from tests.support.waiting import until

pytestmark = pytest.mark.stack
PAGE = {"accept": "text/html"}
TEMPLATES = {
    "error": "own {{status}} {{title}}",
    "waiting": "{{{sheen_head}}}<p>own waiting page",
}


@pytest.fixture
def log(stack: StackProcess, tmp_path: Path) -> Iterator[Path]:
    """The access log of a configuration that holds for one test."""
    templates, log = tmp_path / "templates", tmp_path / "access.log"
    templates.mkdir()
    for name, source in TEMPLATES.items():
        (templates / f"{name}.html").write_text(source)
    file = tmp_path / "shiny-server.conf"
    file.write_text(
        f"template_dir {templates};\n"
        f'access_log {log} ":method :url :status :response-time[0]";\n'
        "run_as shiny; log_dir /l; server { listen 80; location /none { site_dir /none; } }\n"
    )
    stack.sheen("config", "apply", str(file))
    yield log
    stack.sheen("config", "clear")


def test_visitors_see_the_operators_pages_and_each_request_and_socket_is_a_line(
    stack: StackProcess, log: Path, tmp_path: Path
) -> None:
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
    assert float(re.findall(r"load-average: (\S+)", health)[0]) >= 0
