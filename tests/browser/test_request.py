"""What an app learns of the visitor, in a real browser."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.stack import TREE, StackProcess

pytestmark = [pytest.mark.stack, pytest.mark.browser]

VISITOR_APP = TREE / "tests" / "workers" / "apps" / "visitor"
START = 60_000


@pytest.fixture(scope="module")
def visitor_url(stack: StackProcess) -> str:
    return stack.publish(Path(VISITOR_APP), "/visitor")


def test_the_session_knows_the_visitor_as_the_page_does(
    stack: StackProcess, visitor_url: str, page: Page
) -> None:
    page.context.add_cookies([{"name": "theme", "value": "dark", "url": stack.url}])
    page.set_extra_http_headers({"Accept-Language": "de-CH"})
    page.goto(f"{visitor_url}?a=1")
    expect(page.locator("#session")).to_contain_text("{", timeout=START)
    asked = json.loads(page.locator("#page").inner_text())
    session = json.loads(page.locator("#session").inner_text())
    host = f"127.0.0.1:{stack.port}"
    for said in (asked, session):
        assert said["HTTP_USER_AGENT"] == page.evaluate("navigator.userAgent")
        assert said["HTTP_ACCEPT_LANGUAGE"].startswith("de-CH")
        assert (said["HTTP_HOST"], said["SERVER_NAME"], said["SERVER_PORT"]) == (
            host,
            "127.0.0.1",
            str(stack.port),
        )
        assert said["REMOTE_ADDR"] == "127.0.0.1"
        assert "theme=dark" in said["HTTP_COOKIE"]
    assert session["HTTP_ORIGIN"] == stack.url
    assert session["HTTP_X_FORWARDED_FOR"] == asked["HTTP_X_FORWARDED_FOR"]
    assert set(session["HTTP_COOKIE"].split("; ")) == set(
        page.evaluate("document.cookie").split("; ")
    )
    expect(page.locator("#client")).to_have_text(
        f"url_protocol=http: url_hostname=127.0.0.1 url_port={stack.port} "
        "url_pathname=/visitor/ url_search=?a=1"
    )
