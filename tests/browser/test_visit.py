"""A visit from the first request to the app's sleep, and what a visitor is told when something goes
wrong.
"""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from tests.support.apps import PYTHON_ECHO, app
from tests.support.stack import TREE, StackProcess
from tests.support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.browser]

START = 60_000


def worker_pid(page: Page) -> int:
    """The R process that an echo app's page is served by."""
    who = page.locator("#who")
    expect(who).not_to_be_empty(timeout=START)
    return int(who.inner_text().split()[0])


@pytest.mark.parametrize("example", ["pulse", "pulse-two-files"])
def test_an_app_in_either_form_reacts_and_ticks(
    example: str, stack: StackProcess, page: Page
) -> None:
    page.goto(stack.publish(TREE / "examples" / example, f"/{example}"))
    expect(page.locator("#greeting")).to_have_text("Hello, visitor!", timeout=START)
    page.locator("#name").fill("Ada")
    expect(page.locator("#greeting")).to_have_text("Hello, Ada!")
    expect(page.locator("#wave img")).to_be_visible()
    page.locator("#beat").click()
    expect(page.locator("#beats")).to_have_text("1")
    seconds = page.locator("#seconds").inner_text()
    expect(page.locator("#seconds")).not_to_have_text(seconds)


def test_an_app_in_python_reacts_and_takes_a_file(
    stack: StackProcess, page: Page, tmp_path: Path
) -> None:
    page.goto(stack.publish(app(tmp_path / "snake", PYTHON_ECHO, "app.py"), "/python"))
    expect(page.locator("#who")).not_to_be_empty(timeout=START)
    page.locator("#said").fill("a word")
    expect(page.locator("#heard")).to_have_text("heard: a word")
    page.locator("#file").set_input_files(
        FilePayload(name="a.txt", mimeType="text/plain", buffer=b"words of a file")
    )
    expect(page.locator("#uploaded")).to_have_text("words of a file")


def test_a_second_tab_has_a_session_of_its_own_in_the_same_process(
    stack: StackProcess, page: Page, tmp_path: Path
) -> None:
    url = stack.publish(app(tmp_path / "echo"), "/tabs")
    page.goto(url)
    pid = worker_pid(page)
    page.locator("#said").fill("first")
    expect(page.locator("#heard")).to_have_text("heard: first")
    other = page.context.new_page()
    other.goto(url)
    assert worker_pid(other) == pid
    expect(other.locator("#heard")).to_have_text("heard:")
    assert other.locator("#who").inner_text() != page.locator("#who").inner_text()


def test_after_the_last_visitor_the_instance_is_gone_and_the_next_visit_starts_it_again(
    stack: StackProcess, page: Page, tmp_path: Path
) -> None:
    url = stack.publish(app(tmp_path / "echo"), "/leave", instance_idle_timeout=2)
    page.goto(url)
    pid = worker_pid(page)
    first = stack.instance_of("/leave")
    assert first and first["state"] == "READY"
    status = next(line for line in stack.sheen("status").stdout.splitlines() if "/leave" in line)
    assert f"{first['version_id'].partition('.')[2]}.0.1" in status.split()
    page.goto("about:blank")
    until(
        lambda: (stack.instance_of("/leave") or {}).get("state") == "STOPPED",
        60,
        "the instance to be reaped",
    )
    until(lambda: not Path(f"/proc/{pid}").exists(), 30, "R to be gone")
    assert "sleeping" in next(
        line for line in stack.sheen("apps").stdout.splitlines() if "/leave" in line
    )
    page.goto(url)
    assert worker_pid(page) != pid
    assert "running" in next(
        line for line in stack.sheen("apps").stdout.splitlines() if "/leave" in line
    )


def test_an_instance_is_never_reaped_under_a_visitor(
    stack: StackProcess, page: Page, tmp_path: Path
) -> None:
    page.goto(stack.publish(app(tmp_path / "echo"), "/stay", instance_idle_timeout=1))
    pid = worker_pid(page)
    page.wait_for_timeout(6000)
    page.locator("#said").fill("still here")
    expect(page.locator("#heard")).to_have_text("heard: still here")
    assert worker_pid(page) == pid


def test_an_unknown_url_is_a_404_page(stack: StackProcess, page: Page) -> None:
    answer = page.goto(f"{stack.url}/nowhere/at/all")
    assert answer and answer.status == 404
    expect(page.locator("body")).to_contain_text("/nowhere/at/all")


def test_the_front_page_lists_the_apps(stack: StackProcess, page: Page, tmp_path: Path) -> None:
    stack.publish(app(tmp_path / "echo"), "/listed")

    def listed() -> bool:
        page.goto(f"{stack.url}/")
        return "/listed" in page.locator("body").inner_text()

    until(listed, 30, "the list, which is looked up every ten seconds, to have the app")


BROKEN = 'library(shiny)\nstop("the secret ingredient is missing")\n'


def test_an_app_that_stops_while_starting_says_so_but_not_what_r_said(
    stack: StackProcess, page: Page, tmp_path: Path
) -> None:
    page.goto(stack.publish(app(tmp_path / "broken", BROKEN), "/broken"))
    expect(page.locator("body")).to_contain_text("could not be started", timeout=START)
    expect(page.locator("body")).not_to_contain_text("secret ingredient")


def test_an_app_that_shows_its_errors_shows_what_r_said(
    stack: StackProcess, page: Page, tmp_path: Path
) -> None:
    page.goto(
        stack.publish(app(tmp_path / "broken", BROKEN), "/broken-open", sanitize_errors="false")
    )
    expect(page.locator("body")).to_contain_text("the secret ingredient is missing", timeout=START)


def test_a_start_slower_than_app_init_timeout_is_told(
    stack: StackProcess, page: Page, tmp_path: Path
) -> None:
    slow = app(tmp_path / "slow", "library(shiny)\nSys.sleep(600)\n")
    page.goto(stack.publish(slow, "/slow", app_init_timeout=3))
    expect(page.locator("body")).to_contain_text("3 seconds", timeout=START)


def test_r_killed_under_a_visitor_is_told_and_a_reload_gives_a_new_session(
    stack: StackProcess, page: Page, tmp_path: Path
) -> None:
    page.goto(stack.publish(app(tmp_path / "echo"), "/killed"))
    pid = worker_pid(page)
    os.kill(pid, signal.SIGKILL)
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_be_visible(timeout=30_000)
    dialog.get_by_role("button", name="Reload").click()
    until(lambda: worker_pid(page) != pid, 60, "a new R process")
    page.locator("#said").fill("again")
    expect(page.locator("#heard")).to_have_text("heard: again")


def test_an_instance_that_dies_whole_is_told_to_its_visitors(
    stack: StackProcess, page: Page, tmp_path: Path
) -> None:
    page.goto(stack.publish(app(tmp_path / "echo"), "/died"))
    pid = worker_pid(page)
    agent = int(subprocess.check_output(["ps", "-o", "ppid=", "-p", str(pid)], text=True))
    os.kill(agent, signal.SIGKILL)
    expect(page.get_by_role("alertdialog")).to_be_visible(timeout=60_000)
    until(
        lambda: (stack.instance_of("/died") or {}).get("state") == "STOPPED",
        90,
        "the row to say STOPPED",
    )


@pytest.mark.parametrize(
    ("measured", "script", "called"),
    [
        ("UA-1-4", "https://www.google-analytics.com/analytics.js", "ga.q.map(call => call[0])"),
        (
            "G-ABC123",
            "https://www.googletagmanager.com/gtag/js?id=G-ABC123",
            "dataLayer.map(call => call[0])",
        ),
    ],
)
def test_analytics_counts_the_pages_of_an_app_that_has_an_id(
    measured: str, script: str, called: str, stack: StackProcess, page: Page, tmp_path: Path
) -> None:
    at = f"/counted-{measured.lower()}"
    url = stack.publish(app(tmp_path / "counted"), at, google_analytics_id=measured)
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(body="", content_type="text/javascript")

    page.route(re.compile("google"), answer)
    page.goto(url)
    worker_pid(page)
    assert asked == [script]
    calls = page.evaluate(called)
    assert calls == (["create", "send"] if measured.startswith("UA") else ["js", "config"])
