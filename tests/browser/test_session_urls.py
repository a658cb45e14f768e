"""A session's URLs in real browsers: in every tab, in a frame of another site, and not in somebody
else's browser.
"""

import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Frame, Page, expect

from tests.support.apps import app
from tests.support.stack import StackProcess

pytestmark = [pytest.mark.stack, pytest.mark.browser]

APP = """
library(shiny)
shinyApp(fluidPage(downloadLink("get", "Get"), textOutput("up"), uiOutput("picture")), function(input, output, session) {
  output$up <- renderText("up")
  output$get <- downloadHandler("secret.txt", function(file) writeLines("the secret", file))
  output$picture <- renderUI(tags$img(id = "dot", src = session$registerDataObj("dot", NULL, function(data, request) {
    dot <- "<svg xmlns='http://www.w3.org/2000/svg' width='7' height='7'></svg>"
    httpResponse(200, "image/svg+xml", dot)
  })))
})
"""  # noqa: E501
START = 30_000
WIDTH = "document.getElementById('dot').complete && document.getElementById('dot').naturalWidth"


def works(page: Page, frame: Page | Frame) -> str:
    """See that the page has its picture and its download; return the download's URL."""
    expect(frame.locator("#up")).to_have_text("up", timeout=START)
    frame.wait_for_function(f"{WIDTH} == 7", timeout=START)
    with page.expect_download() as download:
        frame.locator("#get").click()
    assert Path(download.value.path()).read_text() == "the secret\n"
    return str(frame.locator("#get").evaluate("link => link.href"))


def test_a_sessions_urls_are_for_the_browser_that_has_its_page(
    stack: StackProcess, page: Page, chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    url = stack.publish(app(tmp_path_factory.mktemp("urls"), APP), "/session-urls")
    stack.wake("/session-urls/")
    page.goto(url)
    first = works(page, page)
    tab = page.context.new_page()
    tab.goto(url)
    works(tab, tab)
    fetch = (
        "async (url) => { const answer = await fetch(url); return [answer.status, await "
        "answer.text()] }"
    )
    assert tab.evaluate(fetch, first) == [200, "the secret\n"]  # the other tab's
    stranger = chromium.new_context().new_page()
    stranger.goto(url)
    works(stranger, stranger)
    status, text = stranger.evaluate(fetch, first)
    assert status == 403
    assert "This link belongs to the page that shows it" in text
    stranger.context.close()


def test_in_a_frame_of_another_site_that_gets_no_cookies_they_work_too(
    stack: StackProcess, page: Page, tmp_path: Path
) -> None:
    url = stack.publish(app(tmp_path / "app", APP), "/session-urls-framed")
    stack.wake("/session-urls-framed/")
    (tmp_path / "index.html").write_text(f'<iframe src="{url}"></iframe>')
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as portal:
        threading.Thread(target=portal.serve_forever, daemon=True).start()
        page.goto(f"http://localhost:{portal.server_port}/")  # 127.0.0.1 is another site
        portal.shutdown()
    expect(page.frame_locator("iframe").locator("#up")).to_have_text("up", timeout=START)
    [frame] = page.main_frame.child_frames
    assert frame.evaluate("document.cookie") == ""
    assert page.context.cookies() == []
    works(page, frame)
