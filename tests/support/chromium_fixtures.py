"""A real Chromium, Debian's, driven by Playwright: the fixtures of tests that need a browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.chromium import launch_options


@pytest.fixture(scope="module")  # while it is open, its event loop is in the way of asyncio tests
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launch_options())
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Page]:
    """A tab in a context of its own; a failed test leaves a screenshot and what the console
    said.
    """
    context = chromium.new_context(viewport={"width": 1100, "height": 800})
    tab = context.new_page()
    said: list[str] = []
    tab.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    tab.on("pageerror", lambda error: said.append(f"error: {error}"))
    failed_before = request.session.testsfailed
    yield tab
    if request.session.testsfailed > failed_before:
        name = re.sub(r"\W+", "-", request.node.name)
        tab.screenshot(path=tmp_path / f"{name}.png")
        (tmp_path / f"{name}.console").write_text("\n".join(said))
    context.close()
