"""Starting an instance: exactly one, whoever comes; and what a request and a frame may cost."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.apps import app
from tests.support.stack import StackProcess
from tests.support.visitor import Visitor
from tests.support.waiting import until

pytestmark = pytest.mark.stack

HTML = {"accept": "text/html"}


def test_many_first_requests_at_once_run_one_task(stack: StackProcess, tmp_path: Path) -> None:
    folder = app(tmp_path / "echo")
    for round_number in range(3):
        path = f"/crowd-{round_number}"
        stack.publish(folder, path)
        before = stack.counters()["run_tasks"]
        with ThreadPoolExecutor(24) as crowd:
            answers = list(
                crowd.map(lambda _, path=path: stack.get(f"{path}/", HTML).status, range(24))
            )
        assert set(answers) <= {200, 202}
        stack.wake(f"{path}/")
        assert stack.counters()["run_tasks"] - before == 1


SCHEDULED = ("-sweeper", "-sync_tick", "-tidy_sweep")


async def cost(stack: StackProcess, act: Callable[[], Awaitable[object]]) -> dict[str, int]:
    """What ``act`` called: ``invocations`` of functions but those that a schedule calls, and
    ``dynamodb`` calls by them.
    """

    def reading() -> dict[str, Any]:
        return stack.counters()

    before = reading()
    await act()
    after = reading()
    functions = {
        name: count - before["invocations"].get(name, 0)
        for name, count in after["invocations"].items()
        if not name.endswith(SCHEDULED)
    }
    tables = {
        principal: sum(calls.values())
        - sum(before["calls"]["by_principal"].get(principal, {}).values())
        for principal, calls in after["calls"]["by_principal"].items()
        if principal.startswith("function:") and not principal.endswith(SCHEDULED)
    }
    return {"invocations": sum(functions.values()), "dynamodb": sum(tables.values())}


async def test_a_warm_frame_costs_one_invocation_and_no_table_call(
    stack: StackProcess, tmp_path: Path
) -> None:
    stack.publish(app(tmp_path / "echo"), "/frame")
    stack.wake("/frame/")
    async with Visitor(f"{stack.url}/frame/") as visitor:

        async def ten() -> None:
            for turn in range(10):
                await visitor.say(f"turn {turn}")

        await ten()  # each environment learns the connection once
        spent = await cost(stack, ten)
    # What the visitor says is one frame; an ACK may be a second one now and then.
    assert spent["invocations"] <= 12
    assert spent["dynamodb"] == 0


async def test_a_warm_page_costs_at_most_two_table_calls(
    stack: StackProcess, tmp_path: Path
) -> None:
    stack.publish(app(tmp_path / "echo"), "/page")
    stack.wake("/page/")

    async def five() -> None:
        for _ in range(5):
            assert (await asyncio.to_thread(stack.get, "/page/", HTML)).status == 200

    await five()
    spent = await cost(stack, five)
    assert spent["invocations"] == 5
    assert spent["dynamodb"] <= 2 * 5


PRYING = """
library(shiny)
shinyApp(
  fluidPage(textOutput("seen")),
  function(input, output) output$seen <- renderText("")
)
seen <- function(folder) length(list.files(folder)) + file.access(folder, 4) + 1
stop(paste("sees:", paste(sapply(FOLDERS, seen), collapse = " ")))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give apps users of their own")
def test_r_sees_nothing_of_the_stack_but_its_own_version(
    stack: StackProcess, tmp_path: Path
) -> None:
    folders = [stack.data / name for name in ("run", "logs", "build", "s3", "dynamodb")]
    assert all(folder.is_dir() for folder in folders)
    listed = ", ".join(f'"{folder}"' for folder in folders)
    prying = app(tmp_path / "prying", PRYING.replace("FOLDERS", f"c({listed})"))
    stack.publish(prying, "/prying", sanitize_errors="false")
    stack.get("/prying/", HTML)
    stopped = until(
        lambda: (row := stack.instance_of("/prying")) and row["state"] == "STOPPED" and row,
        60,
        "the start to fail",
    )
    assert "sees: 0 0 0 0 0" in str(stopped["failure"])


async def test_a_socket_without_a_valid_ticket_is_refused(
    stack: StackProcess, tmp_path: Path
) -> None:
    stack.publish(app(tmp_path / "echo"), "/ticket")
    stack.wake("/ticket/")
    async with Visitor(f"{stack.url}/ticket/") as visitor:
        ticket = visitor.config["ticket"]
        assert await visitor.try_ticket(None) == 403
        assert await visitor.try_ticket("") == 403
        assert await visitor.try_ticket(ticket[:-2] + "xx") == 403
        assert await visitor.try_ticket(ticket) == 101


def test_the_agent_lets_in_nobody_without_its_key(stack: StackProcess, tmp_path: Path) -> None:
    import http.client

    stack.publish(app(tmp_path / "echo"), "/agent")
    stack.wake("/agent/")
    instance = stack.instance_of("/agent")
    assert instance
    host, port = instance["address"].split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    named = {"sheen-instance": instance["instance_id"]}
    for headers, status in (({}, 410), (named, 403), (named | {"sheen-agent-key": "0" * 64}, 403)):
        connection.request("GET", "/app/", headers=headers)
        answer = connection.getresponse()
        assert answer.status == status
        answer.read()


def test_what_was_published_survives_a_restart_and_nothing_is_left_running(
    open_folder: Path, tmp_path: Path
) -> None:
    import subprocess

    from tests.support.stack import free_port

    own = StackProcess(open_folder / "again", free_port())
    own.start()
    try:
        own.publish(app(tmp_path / "echo"), "/again", app_idle_timeout=7)
        own.wake("/again/")
    finally:
        own.stop()

    def left() -> list[str]:
        lines = subprocess.check_output(["ps", "-eo", "pid,args"], text=True).splitlines()
        return [line for line in lines if str(own.data) in line and " ps " not in line]

    until(lambda: not left(), 30, f"every process to end: {left()}")
    own.start()
    try:
        line = next(line for line in own.sheen("apps").stdout.splitlines() if "/again" in line)
        assert "sleeping" in line
        assert "7" in next(
            line
            for line in own.sheen("configure", "/again").stdout.splitlines()
            if "app_idle_timeout" in line
        )
        own.wake("/again/")
    finally:
        own.stop()
