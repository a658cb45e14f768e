"""A full app: who comes waits in a queue, and is let in when it is their turn, without doing
anything.
"""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.apps import app
from tests.support.stack import StackProcess

pytestmark = [pytest.mark.stack, pytest.mark.browser]

START = 60_000


def test_visitors_of_a_full_app_are_let_in_one_after_the_other_as_they_came(
    stack: StackProcess, page: Page, chromium: Browser, tmp_path: Path
) -> None:
    url = stack.publish(app(tmp_path / "echo"), "/full", simple_scheduler=1, reconnect_grace=0)
    page.goto(url)
    expect(page.locator("#who")).not_to_be_empty(timeout=START)
    first, second = chromium.new_page(), chromium.new_page()
    try:
        first.goto(f"{url}?who=first")
        expect(first.locator("h1")).to_have_text("All seats are taken")
        expect(first.locator("#queue")).to_have_text("You are next.")
        second.goto(url)
        expect(second.locator("#queue")).to_have_text("One visitor is before you.")
        second.reload()
        expect(second.locator("#queue")).to_have_text("One visitor is before you.")
        page.goto("about:blank")
        expect(first.locator("#who")).not_to_be_empty(timeout=START)
        assert first.url == f"{url}?who=first"
        expect(second.locator("#queue")).to_have_text("You are next.", timeout=START)
        first.goto("about:blank")
        expect(second.locator("#who")).not_to_be_empty(timeout=START)
    finally:
        first.context.close()
        second.context.close()
