"""Signing in, in two real browsers, with real R: who gets in, what R knows, and how it ends."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.apps import app
from tests.support.stack import TREE, StackProcess

pytestmark = [pytest.mark.stack, pytest.mark.browser]

START = 60_000
AT = "/team/sales"
PASSWORD = "correct horse battery staple"
APP = """
library(shiny)
shinyApp(
  function(request) fluidPage(
    textInput("said", "Say"), textOutput("heard"), textOutput("user"), textOutput("groups"),
    span(id = "asked", request$HTTP_SHINY_SERVER_CREDENTIALS),
    span(id = "cookies", request$HTTP_COOKIE)
  ),
  function(input, output, session) {
    output$heard <- renderText(paste0("heard: ", input$said))
    output$user <- renderText(paste0("user: ", session$user))
    output$groups <- renderText(paste(length(session$groups), tail(unlist(session$groups), 1)))
  }
)
"""
GROUPS = [f"{number:03}-{'g' * 36}" for number in range(899)] + ["sales"]


def user(stack: StackProcess, *words: str, typed: str = "") -> str:
    """Run ``sheen user``; return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "sheen", "user", *words],
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        cwd=TREE,
        env=stack.own_environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sales(stack: StackProcess, tmp_path_factory: pytest.TempPathFactory) -> str:
    groups = [word for group in GROUPS for word in ("--group", group)]
    user(stack, "add", "kim", *groups, typed=f"{PASSWORD}\n")
    user(stack, "add", "tom", typed=f"{PASSWORD}\n")
    return stack.publish(
        app(tmp_path_factory.mktemp("sales"), APP), AT, required_group="sales", visibility="public"
    )


@pytest.fixture
def other(chromium: Browser) -> Iterator[Page]:
    """A tab of another browser."""
    context = chromium.new_context()
    yield context.new_page()
    context.close()


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def in_the_app(page: Page, name: str) -> None:
    expect(page.locator("#user")).to_have_text(f"user: {name}", timeout=START)


def test_a_user_signs_in_works_and_signs_out_in_another_tab(
    stack: StackProcess, sales: str, page: Page
) -> None:
    page.goto(f"{sales}?a=1")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in(page, "kim", "wrong password")
    expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    sign_in(page, "kim")
    in_the_app(page, "kim")
    assert page.url.endswith(f"{AT}/?a=1")
    expect(page.locator("#groups")).to_have_text("900 sales")
    said = json.loads(page.locator("#asked").inner_text())
    assert said == {"user": "kim", "groups": GROUPS}
    assert "sheen-login" not in page.locator("#cookies").inner_text()
    assert "sheen-login" not in page.evaluate("document.cookie")
    tab = page.context.new_page()
    tab.goto(f"{stack.url}/")
    expect(tab.locator(".mark")).to_contain_text("Signed in as kim")
    tab.get_by_role("link", name="sign out").click()
    tab.get_by_role("button", name="Sign out here").click()
    expect(tab.get_by_role("heading", name="You are signed out")).to_be_visible()
    ended = time.monotonic()
    expect(page.get_by_text(re.compile("You are signed out"))).to_be_visible(timeout=2000)
    assert time.monotonic() - ended < 2
    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_two_browsers_are_two_logins_and_a_lock_ends_all(
    stack: StackProcess, sales: str, page: Page, other: Page
) -> None:
    for tab in (page, other):
        tab.goto(sales)
        sign_in(tab, "kim")
        in_the_app(tab, "kim")
    assert len(user(stack, "logins", "kim").splitlines()) == 3
    locked = user(stack, "lock", "kim")
    assert "2 logins have ended" in locked
    for tab in (page, other):
        expect(tab.get_by_text(re.compile("You are signed out"))).to_be_visible(timeout=2000)
        tab.reload()
        sign_in(tab, "kim")
        expect(tab.get_by_role("alert")).to_contain_text("do not belong together")
    user(stack, "unlock", "kim")


def test_who_may_not_see_it_is_told_so_and_may_switch(sales: str, page: Page) -> None:
    page.goto(sales)
    sign_in(page, "tom")
    expect(page.get_by_role("heading", name="You may not see this app")).to_be_visible()
    expect(page.get_by_text("You are signed in as tom")).to_be_visible()
    page.get_by_role("link", name="Switch user").click()
    sign_in(page, "kim")
    in_the_app(page, "kim")


def test_the_form_works_by_keyboard_on_a_telephone(
    stack: StackProcess, sales: str, page: Page, tmp_path: Path
) -> None:
    page.set_viewport_size({"width": 360, "height": 640})
    page.goto(sales)
    page.keyboard.press("Tab")
    page.keyboard.type("kim")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.screenshot(path=tmp_path / "form.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.keyboard.press("Enter")
    in_the_app(page, "kim")
