"""A real Chromium, Debian's, driven by Playwright."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program, "Chromium is not installed: `make test` installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*QUIET])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Page]:
    """A tab in a context of its own; a failed test leaves a screenshot and what the console said."""
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
