"""Debian's client of Shiny Server, as it is, in a page of ours: a black box that tells whether the
wire is compatible (FACTS S6, S7).
"""

import re
from functools import partial

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.support import shiny_server_client
from tests.support.apps import app
from tests.support.carrying import CARRY, in_order, say
from tests.support.stack import StackProcess
from tests.support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.browser]

OURS = re.compile(
    r'<script type="application/json" id="sheen-config">.*?</script>\s*<script '
    r'src="[^"]*relay\.js[^"]*"></script>',
    re.DOTALL,
)


def has_more(page: Page, than: int) -> bool:
    return len(in_order(page)) > than


def test_shiny_servers_own_client_holds_a_session_through_a_cut_connection(
    stack: StackProcess, page: Page, tmp_path_factory: pytest.TempPathFactory
) -> None:
    scripts = shiny_server_client.scripts()
    url = stack.publish(app(tmp_path_factory.mktemp("carry"), CARRY), "/theirs")
    stack.wake("/theirs/")
    asked: list[Request] = []
    page.on(
        "request", lambda request: asked.append(request) if "/__sockjs__/" in request.url else None
    )

    def swap(route: Route) -> None:
        answer = route.fetch()
        theirs = "".join(f'<script src="/__theirs__/{path.name}"></script>' for path in scripts)
        html, swapped = OURS.subn(
            f"{theirs}<script>{shiny_server_client.START}</script>", answer.text()
        )
        assert swapped == 1
        route.fulfill(response=answer, body=html)

    page.route(url, swap)
    files = {path.name: path for path in scripts}
    page.route(
        "**/__theirs__/*",
        lambda route: route.fulfill(path=files[route.request.url.rpartition("/")[2]]),
    )
    page.goto(url)
    expect(page.locator("#heard")).to_have_text("heard:", timeout=30_000)
    say(page, "before 100 %")
    assert page.evaluate("typeof __shinyserverdebug__") == "object"
    for cut in range(2):
        before = len(in_order(page))
        page.evaluate(shiny_server_client.CUT)
        page.locator("#said").fill(f"while cut off {cut}")
        expect(page.locator("#heard")).to_have_text(f"heard: while cut off {cut}", timeout=20_000)
        until(partial(has_more, page, before + 3), 20, "the count to go on")
    assert any("/n=" in request.url for request in asked) and any(
        "/o=" in request.url for request in asked
    )
