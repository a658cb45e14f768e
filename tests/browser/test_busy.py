"""A page of an app whose R is busy: the visitor is told, and goes in when it is free."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.apps import app
from tests.support.stack import StackProcess

pytestmark = [pytest.mark.stack, pytest.mark.browser]

START = 60_000

BUSY = """
library(shiny)
made <- 0
shinyApp(
  function(request) {
    if (grepl("slow", request$QUERY_STRING)) { made <<- made + 1; Sys.sleep(14) }
    fluidPage(tags$h1(paste("made", made)), tags$script(src = "look.js"), textOutput("said"))
  },
  function(input, output) output$said <- renderText("open")
)
"""


def test_visitors_of_a_busy_app_wait_and_go_in_and_r_makes_each_page_once(
    stack: StackProcess, page: Page, chromium: Browser, tmp_path: Path
) -> None:
    folder = app(tmp_path / "busy", BUSY)
    (folder / "www").mkdir()
    (folder / "www" / "look.js").write_text("window.looked = true")
    url = stack.publish(folder, "/busy")
    page.goto(url)
    expect(page.locator("#said")).to_have_text("open", timeout=START)
    page.goto(f"{url}?slow", wait_until="commit")
    expect(page.locator("h1")).to_have_text("busy is busy", timeout=20_000)
    page.screenshot(path=tmp_path / "busy.png")
    second = chromium.new_context().new_page()
    second.goto(url, wait_until="commit")  # R is asked when it is free
    for each in (page, second):
        expect(each.locator("h1")).to_have_text("made 1", timeout=START)
        expect(each.locator("#said")).to_have_text("open", timeout=START)
        assert each.evaluate("window.looked")
        assert "sheen-page" not in each.evaluate("document.cookie")
    assert page.url == f"{url}?slow"
    second.context.close()
