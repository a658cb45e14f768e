"""The pages' scripts, in a real browser under the pages' own policy. Routes are the server: no
stack is needed.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Request, Route, async_playwright, expect

from chalicelib import pages
from chalicelib.pages import Page
from tests.support.chromium import launch_options

pytestmark = pytest.mark.browser

SITE = "http://sheen.test"
APP = f"{SITE}/hello/?a=1&b=%20#plot"
READY = {"state": "READY", "phase": "app", "message": "", "failure": None}


def starting(phase: str, message: str = "") -> dict[str, Any]:
    return {"state": "STARTING", "phase": phase, "message": message, "failure": None}


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(**launch_options())
        yield browser
        await browser.close()


class Server:
    """Answers the app's URL with `documents`, and the status URL with `statuses`, in turn; the last
    of each stays.
    """

    def __init__(
        self, documents: list[Page | str], statuses: list[dict[str, Any] | int | str]
    ) -> None:
        self.documents, self.statuses = documents, statuses
        self.opened: list[str] = []
        self.asked = 0
        self.said: list[str] = []

    async def serve(self, context: BrowserContext) -> None:
        context.on("console", lambda message: self.said.append(message.text))
        await context.route("**/*", self._answer)

    async def _answer(self, route: Route, request: Request) -> None:
        if "__sheen__/" in request.url:
            self.asked += 1
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            if isinstance(status, str):
                await route.abort(status)
            elif isinstance(status, int):
                await route.fulfill(status=status, body="no")
            else:
                await route.fulfill(body=json.dumps(status), content_type="application/json")
            return
        self.opened.append(request.url)
        page = self.documents.pop(0) if len(self.documents) > 1 else self.documents[0]
        if isinstance(page, str):
            await route.fulfill(body=page, content_type="text/html")
        else:
            await route.fulfill(status=page.status, headers=dict(page.headers), body=page.html)


def waiting(**more: Any) -> Page:
    return pages.waiting("hello", "0123", "__sheen__/start?instance=0123", **more)


async def test_waiting_follows_the_start_and_goes_into_the_app_with_query_and_hash(
    browser: Browser,
) -> None:
    server = Server([waiting(), "<h1>the app</h1>"], [starting("machine"), "connectionrefused"])
    context = await browser.new_context()
    await server.serve(context)
    page = await context.new_page()
    await page.goto(APP)
    await expect(page.locator("[data-step=machine]")).to_have_attribute("data-state", "now")
    await expect(page.locator("#offline")).to_be_visible()
    server.statuses = [502, 429, starting("R", "Loading shiny")]
    await expect(page.locator("[data-step=R]")).to_have_attribute(
        "data-state", "now", timeout=10000
    )
    await expect(page.locator("[data-step=R] small")).to_have_text("Loading shiny")
    await expect(page.locator("#status")).to_have_text("Step 2 of 4, R: Loading shiny")
    await expect(page.locator("#offline")).to_be_hidden()
    server.statuses = [starting("app"), READY]
    await expect(page.locator("h1")).to_have_text("the app", timeout=10000)
    assert page.url == APP
    assert server.opened == [APP.split("#")[0]] * 2
    assert await page.evaluate("history.length") == 2, (
        "the waiting page left an entry in the history"
    )
    assert not [text for text in server.said if "Content Security Policy" in text]
    await context.close()


async def test_waiting_shows_a_failure_in_place_as_text_and_tries_again(browser: Browser) -> None:
    failure = {"title": "The app <b>stopped</b>", "detail": "Error: <img src=x onerror=alert(1)>"}
    stopped = {"state": "STOPPED", "phase": "app", "message": "", "failure": failure}
    server = Server([waiting(), "<h1>second</h1>"], [stopped])
    context = await browser.new_context()
    await server.serve(context)
    page = await context.new_page()
    await page.goto(APP)
    await expect(page.locator("h1")).to_have_text(failure["title"])
    await expect(page.get_by_role("alert").locator("pre")).to_have_text(failure["detail"])
    assert await page.locator("#failed img").count() == 0
    asked = server.asked
    await page.wait_for_timeout(1200)
    assert server.asked == asked, "it goes on asking after the end"
    await page.get_by_role("button", name="Try again").click()
    await expect(page.locator("h1")).to_have_text("second")
    await context.close()


@pytest.mark.parametrize("gone", [{**READY, "state": "DRAINING"}, 404, 401])
async def test_waiting_loads_itself_again_when_its_instance_is_gone(
    browser: Browser, gone: dict[str, Any] | int
) -> None:
    server = Server([waiting(), "<h1>second</h1>"], [gone])
    context = await browser.new_context()
    await server.serve(context)
    page = await context.new_page()
    await page.goto(APP)
    await expect(page.locator("h1")).to_have_text("second")
    await context.close()


async def test_waiting_is_no_endless_loop_when_ready_never_lets_it_in(browser: Browser) -> None:
    server = Server([waiting()], [READY])
    context = await browser.new_context()
    await server.serve(context)
    page = await context.new_page()
    await page.goto(APP)
    await expect(page.locator("h1")).to_have_text("The app does not stay awake", timeout=25000)
    assert len(server.opened) == 6
    await context.close()


async def test_waiting_says_when_it_is_slow_and_rests_when_asked_for_less_motion(
    browser: Browser,
) -> None:
    server = Server([waiting(phase="app", elapsed=61)], [starting("app")])
    context = await browser.new_context(reduced_motion="reduce")
    await server.serve(context)
    page = await context.new_page()
    await page.goto(APP)
    await expect(page.locator("#slow")).to_be_visible()
    await expect(page.locator("#so-far")).to_contain_text("1 min")
    assert await page.evaluate("document.getAnimations().length") == 0
    await context.close()


async def test_without_script_waiting_and_users_load_themselves_again(browser: Browser) -> None:
    server = Server([waiting(), pages.users("hello", 1), "<h1>the app</h1>"], [READY])
    context = await browser.new_context(java_script_enabled=False)
    await server.serve(context)
    page = await context.new_page()
    await page.goto(
        APP.split("#")[0]
    )  # a browser takes a refresh of a URL with a hash for a jump: hence the next test
    await expect(page.locator("h1")).to_have_text("the app", timeout=15000)
    assert server.asked == 0
    await context.close()


async def test_without_script_a_link_loads_a_url_with_a_hash_again(browser: Browser) -> None:
    server = Server([waiting(), pages.users("hello", 60), "<h1>the app</h1>"], [READY])
    context = await browser.new_context(java_script_enabled=False)
    await server.serve(context)
    page = await context.new_page()
    await page.goto(APP)
    await page.get_by_role("link", name="load it again").click()
    await page.get_by_role("link", name="Try now").click()
    await expect(page.locator("h1")).to_have_text("the app")
    assert server.opened == [APP.split("#")[0]] * 3
    await context.close()


async def test_users_with_a_place_in_the_queue_says_where_it_stands_and_goes_in(
    browser: Browser,
) -> None:
    def wait(before: int) -> dict[str, Any]:
        return {"state": "wait", "before": before, "again_in": 0.1}

    queued = pages.users("hello", queue=pages.InQueue("__sheen__/queue?place=1", 3))
    server = Server(
        [queued, "<h1>the app</h1>"],
        [wait(2), "connectionrefused", 502, wait(1), wait(0), {"state": "enter"}],
    )
    context = await browser.new_context()
    await server.serve(context)
    page = await context.new_page()
    await page.add_init_script("""addEventListener("DOMContentLoaded", () => {
        const queue = document.getElementById("queue");
        const note = () => { sessionStorage.said = (sessionStorage.said || "") + queue.textContent; };
        if (queue) {
            note();
            new MutationObserver(note).observe(queue, {childList: true});
        }
    })""")  # noqa: E501
    await page.goto(APP)
    await expect(page.locator("h1")).to_have_text("the app")
    assert await page.evaluate("sessionStorage.said") == (
        "3 visitors are before you.2 visitors are before you.One visitor is before "
        "you.You are next.There is room. Opening the app…"
    )
    assert page.url == APP
    assert not [line for line in server.said if "Content Security Policy" in line]


async def test_users_counts_down_and_tries_again(browser: Browser) -> None:
    server = Server([pages.users("hello", 2), "<h1>the app</h1>"], [READY])
    context = await browser.new_context()
    await server.serve(context)
    page = await context.new_page()
    await page.goto(APP)
    await expect(page.locator("#next")).to_contain_text("Trying again in")
    await expect(page.locator("h1")).to_have_text("the app", timeout=8000)
    assert not [text for text in server.said if "Content Security Policy" in text]
    await context.close()


async def test_busy_goes_in_when_the_page_is_ready_with_the_cookie_that_names_it(
    browser: Browser,
) -> None:
    cookie = "sheen-page=token.v1.0.0; Path=/hello/; Max-Age=900; SameSite=Lax"
    busy = pages.busy("hello", "__sheen__/pages/token?w=v1.0.0", cookie, elapsed=10)
    server = Server([busy, "<h1>the app</h1>"], [{"state": "wait"}, 504, {"state": "wait"}])
    context = await browser.new_context()
    await server.serve(context)
    page = await context.new_page()
    await page.goto(APP)
    await expect(page.locator("h1")).to_have_text("hello is busy")
    await expect(page.locator("#so-far")).to_have_text(re.compile("^1[0-9] s so far$"))
    server.statuses = [{"state": "ready"}]
    await expect(page.locator("h1")).to_have_text("the app", timeout=10000)
    assert page.url == APP
    assert [(each["name"], each["value"], each["path"]) for each in await context.cookies()] == [
        ("sheen-page", "token.v1.0.0", "/hello/")
    ]
    assert not [text for text in server.said if "Content Security Policy" in text]
    await context.close()


async def test_busy_loads_itself_again_when_its_page_is_not_kept_any_more(browser: Browser) -> None:
    server = Server(
        [pages.busy("hello", "__sheen__/pages/token", "sheen-page=x"), "<h1>second</h1>"], [404]
    )
    context = await browser.new_context()
    await server.serve(context)
    page = await context.new_page()
    await page.goto(APP)
    await expect(page.locator("h1")).to_have_text("second")
    assert await context.cookies() == []
    await context.close()
