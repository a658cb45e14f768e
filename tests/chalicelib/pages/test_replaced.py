"""An operator's own pages: ten that real servers could have, beside handlebars.js itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.async_api import Request, Route, async_playwright, expect

from chalicelib import pages
from chalicelib.pages import FolderLine, Page
from chalicelib.pages.handlebars import Template
from chalicelib.pages.replaced import LARGEST, PAGES, Templates, faults
from chalicelib.visits.answer import Answer
from tests.chalicelib.pages.peer import Peer
from tests.support.chromium import launch_options

CUSTOM = Path(__file__).parent / "custom"
SOURCES = {path.stem: path.read_text("utf-8") for path in CUSTOM.glob("*.html")}
EVIL = "\"'><script>alert(1)</script>`=\\"
VALUES: Mapping[str, Mapping[str, Any]] = {
    "error": {"title": EVIL, "message": "m", "detail": EVIL, "console": None},
    "directoryIndex": {
        "title": "Index of /ü & co/",
        "dirs": [{"name": "<a>", "url": "a/"}, {"name": "b", "url": "b/"}],
        "files": [{"name": "x=1.csv", "url": "x%3D1.csv"}, {"name": "y", "url": "y"}],
        "apps": [],
    },
    "login": {"title": "Sign in", "csrf_token": "abc=", "action": "/__login__", "error": "No."},
    "waiting": {"app_name": "a", "note": "", "steps": [{"step": "R", "state": "now"}]},
    "queue": {"app_name": "a", "queue": True, "before": 0, "standing": "x"},
}


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.end()


def test_there_are_ten_and_each_is_a_page_that_can_be_replaced() -> None:
    assert len(SOURCES) == 10
    assert {name.partition("-")[0] for name in SOURCES} <= set(PAGES)
    assert faults(SOURCES) == []


@pytest.mark.parametrize("name", sorted(SOURCES))
@pytest.mark.parametrize("full", [True, False])
def test_a_custom_template_shows_what_handlebars_js_shows(
    peer: Peer, name: str, full: bool
) -> None:
    values = VALUES[name.partition("-")[0]] if full else {}
    assert Template(name, SOURCES[name]).fill(values) == peer.fill(SOURCES[name], values)


@pytest.mark.parametrize(
    ("files", "used"),
    [
        (["error-503-users", "error-503", "error"], "error-503-users"),
        (["error-503", "error", "error-404"], "error-503"),
        (["error", "users", "503"], "error"),
        (["error-503-users-more", "erro"], "own"),
    ],
)
def test_a_page_is_looked_for_by_the_rule_of_shiny_server(files: list[str], used: str) -> None:
    own = pages.users("hello")
    page = own.by(Templates({name: f"mine {name}: {{{{title}}}}" for name in files}))
    assert page.status == own.status and page.headers["retry-after"] == "15"
    if used == "own":
        assert page is own
    else:
        assert page.html.startswith(f"mine {used}: All seats are taken")


def test_who_queues_gets_the_page_for_the_queue_or_else_the_one_of_a_full_app() -> None:
    queued = pages.users("hello", queue=pages.InQueue("/q", 2))
    both = Templates({"queue": "queue {{before}}", "error-503-users": "full"})
    assert queued.by(both).html.startswith("queue 2")
    assert queued.by(Templates({"error-503-users": "full"})).html.startswith("full")
    assert pages.users("hello").by(both).html.startswith("full")


@pytest.mark.parametrize(
    "page",
    [
        pages.waiting("a", "i", "/s"),
        pages.busy("a", "/s", "c=1"),
        pages.users("a"),
        pages.users("a", queue=pages.InQueue("/q", 2)),
    ],
    ids=["waiting", "busy", "users", "queue"],
)
@pytest.mark.parametrize("source", ["<HEAD></HEAD>x", "x", "<head>{{{sheen_head}}}</head>x"])
def test_a_page_that_goes_on_by_itself_has_its_script_wherever_the_template_puts_it(
    page: Page, source: str
) -> None:
    names = ("waiting", "busy", "queue", "error")
    shown = page.by(Templates(dict.fromkeys(names, source)))
    assert shown.html.count("document.currentScript.dataset") == 1
    if "</" in source:
        assert re.search(r"</script>\s*</head>x", shown.html, re.IGNORECASE)


def test_a_template_that_is_wrong_is_named_with_its_line_and_others_are_not_read() -> None:
    sources = {
        "error-404": "a\n{{#if x}}",
        "error": "ok {{title}}",
        "menu": "{{> none of ours",
        "waiting": "x" * (LARGEST + 1),
    }
    first, second = faults(sources, "/srv/templates")
    assert first == (
        "template /srv/templates/error-404.html: line 2: {{#if x}} is never closed; "
        "close it with {{/if}}"
    )
    assert second.startswith("template /srv/templates/waiting.html: it has 500,001 characters")


def test_a_page_that_gets_too_large_makes_way_for_sheens_own() -> None:
    own = pages.folder("many", [], [FolderLine(str(n), str(n)) for n in range(200)])
    each = "{{#each @root.files}}"
    source = each * 4 + "x" * 1000 + "{{/each}}" * 4
    assert own.by(Templates({"directoryIndex": source})) is own


def test_an_answer_keeps_its_own_headers_when_its_page_is_replaced() -> None:
    answer = Answer.page(pages.users("hello"))
    answer = answer._replace(headers=(*answer.headers, ("set-cookie", "a=1")))
    shown = answer.by(Templates({"error": "mine"}))
    assert ("set-cookie", "a=1") in shown.headers
    assert b"mine" in shown.body
    assert dict(shown.headers)["content-security-policy"].startswith("default-src 'self' http:")
    assert answer.by(None) is answer
    assert Answer.text(200, "x").by(Templates({"error": "mine"})).body == b"x"


@given(st.text(alphabet="{}#^/&!~ <script>aonclk='\"\n", max_size=80))
def test_only_the_templates_own_scripts_have_the_nonce(source: str) -> None:
    page = pages.error("<script>t</script>", "m", "<script>d</script>")
    templates = Templates({"error": source + "{{{detail}}}"}, nonce=lambda: "NONCE")
    if faults({"error": source + "{{{detail}}}"}):
        return
    shown = page.by(templates)
    assert shown.html.endswith("<script>d</script>")
    assert "'nonce-NONCE'" in shown.headers["content-security-policy"]


@pytest.mark.browser
async def test_a_browser_runs_the_templates_own_scripts_and_none_that_a_value_brings() -> None:
    source = """<!doctype html><html><head><script>window.own = "{{title}}";</script>
    <script type="text/javascript" src="/report.js"></script></head>
    <body onload="window.loaded = true" style="margin: 77px">
    <a id="url" href="javascript:void(window.url = true)">u</a>
    <a id="click" href="#" onclick="window.clicked = &quot;yes&quot;">c</a>
    {{{detail}}}</body></html>"""
    evil = "<script>window.evil = 1</script><img src='data:,' onerror='window.evil = 2'>"
    page_ = pages.error("A title", "m", evil, status=500).by(Templates({"error": source}))

    async def answer(route: Route, request: Request) -> None:
        if request.url.endswith("report.js"):
            body = "window.external = true; document.head.append(Object.assign("
            body += "document.createElement('script'), {src: 'http://other.test/more.js'}))"
            await route.fulfill(body=body, content_type="text/javascript")
        elif request.url.endswith("more.js"):
            await route.fulfill(body="window.more = true", content_type="text/javascript")
        else:
            await route.fulfill(status=500, headers=dict(page_.headers), body=page_.html)

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(**launch_options())
        page = await browser.new_page()
        await page.route("**/*", answer)
        await page.goto("http://sheen.test/")
        await page.wait_for_function("window.more && window.loaded")
        await page.click("#click")
        await page.click("#url")
        await page.wait_for_function("window.url && window.clicked === 'yes'")
        assert await page.evaluate("[window.own, window.external]") == ["A title", True]
        assert await page.evaluate("window.evil") is None
        await expect(page.locator("body")).to_have_css("margin-left", "77px")
        await browser.close()


@pytest.mark.browser
async def test_an_operators_waiting_page_follows_the_start_goes_in_and_shows_a_failure() -> None:
    statuses: list[dict[str, Any]] = [
        {"state": "STARTING", "phase": "R", "message": "", "failure": None},
        {"state": "READY", "phase": "app", "message": "", "failure": None},
    ]
    failure = {"title": "It broke", "detail": "Error in f()"}
    failed = {"state": "STOPPED", "phase": "app", "message": "", "failure": failure}
    plain = Templates({"waiting": "<title>x</title><p>Wait.</p>"})
    for templates in (Templates(SOURCES), plain):
        for ends in ([statuses[1]], [failed]):
            left = [statuses[0], *ends]
            first = pages.waiting("hello", "i", "__sheen__/start").by(templates)
            opened: list[str] = []

            async def answer(
                route: Route,
                request: Request,
                left: list[dict[str, Any]] = left,
                opened: list[str] = opened,
                first: Page = first,
            ) -> None:
                if "__sheen__" in request.url:
                    await route.fulfill(json=left.pop(0) if len(left) > 1 else left[0])
                elif opened:
                    await route.fulfill(body="<h1>the app</h1>", content_type="text/html")
                else:
                    opened.append(request.url)
                    await route.fulfill(status=202, headers=dict(first.headers), body=first.html)

            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(**launch_options())
                page = await browser.new_page()
                await page.route("**/*", answer)
                await page.goto("http://sheen.test/hello/")
                if ends == [failed]:
                    await expect(page.locator("#failed pre, div pre, p pre, pre")).to_have_text(
                        "Error in f()"
                    )
                else:
                    await expect(page.locator("h1")).to_have_text("the app")
                await browser.close()
