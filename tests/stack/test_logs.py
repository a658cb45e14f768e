"""The logs of R processes, from what an app prints to ``sheen logs``."""

import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.apps import app
from tests.support.stack import TREE, StackProcess, free_port
from tests.support.waiting import until

pytestmark = pytest.mark.stack

HTML = {"accept": "text/html"}
TALKING = """
library(shiny)
cat("to stdout: WORD\\n")
message("to stderr: WORD")
shinyApp(
  fluidPage(textOutput("hello")),
  function(input, output, session) output$hello <- renderText("hello")
)
"""


def published(
    stack: StackProcess, tmp_path: Path, at: str, word: str = "one", **settings: object
) -> None:
    stack.publish(app(tmp_path / at.strip("/"), TALKING.replace("WORD", word)), at, **settings)


def shown(stack: StackProcess, at: str, *more: str) -> str:
    return stack.sheen("logs", at, *more).stdout


def files(stack: StackProcess, name: str) -> list[Path]:
    return sorted((stack.data / "logs" / "apps").glob(f"{name}-*.log"))


def r_of(stack: StackProcess, at: str) -> int:
    """The id of the R process that serves an app, as its log says."""
    return int(re.findall(r"R starts \(process (\d+)\)", shown(stack, at))[-1])


@pytest.fixture
def own_stack(open_folder: Path) -> Iterator[StackProcess]:
    own = StackProcess(open_folder / f"logs-{free_port()}", free_port())
    own.start()
    yield own
    own.stop()


def test_both_streams_of_r_are_shown_by_version_and_in_the_guides_files(
    stack: StackProcess, tmp_path: Path
) -> None:
    published(stack, tmp_path, "/talking", "one", log_file_mode="0604")
    stack.wake("/talking/")
    until(lambda: "to stderr: one" in shown(stack, "/talking"), 20, "the first version's lines")
    published(stack, tmp_path, "/talking", "two")
    stack.wake("/talking/")
    until(lambda: "to stderr: two" in shown(stack, "/talking"), 30, "the second version's lines")
    lines = shown(stack, "/talking").splitlines()
    first = next(line for line in lines if "to stdout: one" in line)
    found = re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z (\S+) [0-9a-f]{8}/0\.\d+ to stdout: one", first
    )
    assert found is not None, first
    of_first = shown(stack, "/talking", "--version", found[1])
    assert "to stderr: one" in of_first
    assert "two" not in of_first

    written = files(stack, "talking")
    user = r"\d+" if os.geteuid() == 0 else r"\S+"
    assert all(
        re.fullmatch(
            rf"talking-{user}-\d{{8}}-\d{{6}}-\d{{8}}T\d{{6}}Z-[0-9a-f]+\.0\.\d+\.log", path.name
        )
        for path in written
    )
    modes = {"one": 0o604, "two": 0o604}
    for word, mode in modes.items():
        path = next(path for path in written if f"to stdout: {word}" in path.read_text())
        assert stat.S_IMODE(path.stat().st_mode) == mode


def _hear_interrupts() -> None:
    """As in a terminal; a shell lets what it starts in the background ignore them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_follow_shows_what_is_said_from_then_on(stack: StackProcess, tmp_path: Path) -> None:
    published(stack, tmp_path, "/followed", "later")
    command = [sys.executable, "-m", "sheen", "logs", "/followed", "--follow"]
    with subprocess.Popen(
        command,
        cwd=TREE,
        env=stack.own_environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_hear_interrupts,
    ) as follower:
        try:
            assert follower.stderr is not None
            assert follower.stdout is not None
            assert "has said nothing" in follower.stderr.readline()
            stack.wake("/followed/")
            seen = [follower.stdout.readline() for _ in range(3)]
            assert "R starts" in seen[0]
            assert sorted(line.rstrip()[-15:] for line in seen[1:]) == [
                "o stderr: later",
                "o stdout: later",
            ]
        finally:
            follower.send_signal(signal.SIGINT)
        assert follower.wait(20) == 130


def test_a_killed_r_is_told_in_words_and_its_log_stays(stack: StackProcess, tmp_path: Path) -> None:
    published(stack, tmp_path, "/killed-in-logs", preserve_logs="false", app_idle_timeout="0")
    stack.wake("/killed-in-logs/")
    until(lambda: "R starts" in shown(stack, "/killed-in-logs"), 20, "the log")
    os.kill(r_of(stack, "/killed-in-logs"), signal.SIGKILL)
    until(lambda: "SIGKILL" in shown(stack, "/killed-in-logs"), 20, "its end in the log")
    assert len(files(stack, "killed-in-logs")) == 1


def test_without_preserve_logs_the_log_of_a_worker_that_ended_well_goes(
    stack: StackProcess, tmp_path: Path
) -> None:
    published(stack, tmp_path, "/fleeting", preserve_logs="false", app_idle_timeout="3")
    stack.wake("/fleeting/")
    until(lambda: files(stack, "fleeting"), 20, "the file")
    until(lambda: not files(stack, "fleeting"), 60, "the file to go when the worker ends")
    assert shown(stack, "/fleeting") == ""


def test_a_start_that_fails_leaves_its_log(stack: StackProcess, tmp_path: Path) -> None:
    stack.publish(
        app(tmp_path / "failing", 'message("looking for it"); stop("no such table")'),
        "/failing",
        preserve_logs="false",
    )
    stack.get("/failing/", HTML)
    until(lambda: "ended with exit status 1" in shown(stack, "/failing"), 60, "the end in the log")
    assert "looking for it" in shown(stack, "/failing")
    assert "no such table" in shown(stack, "/failing")


def test_logs_outlive_the_instance_and_the_stack(own_stack: StackProcess, tmp_path: Path) -> None:
    published(own_stack, tmp_path, "/lasting", "remembered")
    own_stack.wake("/lasting/")
    until(lambda: "remembered" in shown(own_stack, "/lasting"), 20, "the lines")
    instance = own_stack.instance_of("/lasting")
    assert instance
    own_stack.stop()
    own_stack.start()
    said = shown(own_stack, "/lasting")
    assert "to stdout: remembered" in said
    assert instance["instance_id"][:8] in said


def test_what_is_wrong_with_the_question_is_said(stack: StackProcess, tmp_path: Path) -> None:
    published(stack, tmp_path, "/asked")
    assert "no app at /nobody" in stack.sheen("logs", "/nobody", check=False).stderr
    assert (
        'is "yesterday"'
        in stack.sheen("logs", "/asked", "--since", "yesterday", check=False).stderr
    )
