"""A connection that is lost, or that AWS cuts by idleness and age (FACTS W2), and what a visitor
sees of it.
"""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, WebSocket, expect

from tests.support.apps import app
from tests.support.carrying import carrying, in_order, say
from tests.support.stack import StackProcess
from tests.support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.browser]

START = 60_000
SPEED = 400
IDLE, AGE = 600 / SPEED, 7200 / SPEED
EVERY = 2000
"""Milliseconds between two counts of the app: more than the gateway lets a connection be idle on
the fast clock.
"""

ONLY_WEBSOCKETS = """localStorage.setItem("sheen-transports", '["websocket"]');"""
"""Else the page goes by SockJS when its first WebSocket is not greeted within seconds, as on a
machine that has much to do.
"""
SWITCH = (
    f"{ONLY_WEBSOCKETS}\n"
    """
window.sockets = [];
window.WebSocket = class extends WebSocket {
  constructor(url, protocols) {
    super(window.down ? "ws://127.0.0.1:9/" : url, protocols);
    window.sockets.push(this);
  }
};
"""
)

# Not by a page that the test serves: Chromium lets such a one connect to no address of this
# machine.
CHANGE = """
const find = Document.prototype.getElementById;
Document.prototype.getElementById = function (id) {
  const found = find.call(this, id);
  if (id === "sheen-config" && found && !window.meant) {
    const config = JSON.parse(found.textContent);
    window.meant = {...config.settings};
    Object.assign(config.settings, CHANGES);
    found.textContent = JSON.stringify(config);
  }
  return found;
};
"""


@pytest.fixture(scope="module")
def url(stack: StackProcess, tmp_path_factory: pytest.TempPathFactory) -> str:
    address = stack.publish(
        app(tmp_path_factory.mktemp("slow"), carrying(EVERY)), "/slow-ticks", reconnect_grace=20
    )
    stack.wake("/slow-ticks/")
    return address


@pytest.fixture
def fast(stack: StackProcess) -> Iterator[None]:
    stack.control("POST", "/clock", {"speed": SPEED})
    yield
    stack.control("POST", "/clock", {"speed": 1})


def with_settings(page: Page, url: str, **changes: float) -> dict[str, float]:
    """Load the page with other settings for its client; return those that the server meant for
    it.
    """
    page.add_init_script(CHANGE.replace("CHANGES", json.dumps(changes)))
    page.goto(url)
    expect(page.locator("#heard")).to_have_text("heard:", timeout=START)
    meant: dict[str, float] = page.evaluate("window.meant")
    return meant


def test_both_cuts_of_the_gateway_pass_unnoticed(url: str, fast: None, page: Page) -> None:
    page.add_init_script(ONLY_WEBSOCKETS)
    opened: list[WebSocket] = []
    page.on("websocket", lambda socket: opened.append(socket))
    meant = with_settings(page, url, keepaliveSeconds=240 / SPEED, refreshSeconds=6600 / SPEED)
    assert (meant["keepaliveSeconds"], meant["refreshSeconds"]) == (240, 6600)

    def has_moved() -> bool:
        """Whether the app has counted for longer than a connection may live, and the first one is
        over.
        """
        page.wait_for_timeout(200)
        return (
            len(in_order(page)) > AGE * 1000 / EVERY and len(opened) > 1 and opened[0].is_closed()
        )

    until(
        has_moved,
        4 * AGE,
        "the page to have moved to a fresh connection, and the app to have counted on",
    )
    until(
        lambda: page.wait_for_timeout(200) or all(one.is_closed() for one in opened[:-1]),
        10,
        "all but the newest to be closed",
    )
    assert not opened[-1].is_closed()
    expect(page.locator(".sheen-notice")).to_have_count(0)
    say(page, "still the same session")


def test_a_cut_that_comes_all_the_same_costs_nothing(url: str, fast: None, page: Page) -> None:
    page.add_init_script(ONLY_WEBSOCKETS)
    opened: list[WebSocket] = []
    page.on("websocket", lambda socket: opened.append(socket))
    with_settings(page, url, keepaliveSeconds=1e6, refreshSeconds=1e6)
    until(
        lambda: page.wait_for_timeout(200) or len(opened) > 3,
        30,
        "the gateway to cut idle connections",
    )
    before = len(in_order(page))
    until(
        lambda: page.wait_for_timeout(200) or len(in_order(page)) > before + 1,
        20,
        "the count to go on",
    )
    expect(page.locator(".sheen-notice")).to_have_count(0)
    say(page, "still the same session")


def test_a_lost_connection_greys_out_after_a_moment_and_counts_down(url: str, page: Page) -> None:
    page.add_init_script(SWITCH)
    page.goto(url)
    expect(page.locator("#heard")).to_have_text("heard:", timeout=START)
    until(lambda: len(in_order(page)) > 0, 20, "a count")
    page.evaluate("window.down = true; window.sockets.at(-1).close()")
    dialog = page.get_by_role("alertdialog", name="Connection lost")
    page.wait_for_timeout(1500)
    expect(dialog).to_have_count(0)
    expect(dialog).to_be_visible(timeout=5000)
    expect(dialog).to_contain_text(re.compile(r"Trying again in \d+ s"), timeout=10_000)
    page.evaluate("window.down = false")
    dialog.get_by_role("button", name="Reconnect now").click()
    expect(dialog).to_have_count(0, timeout=5000)
    before = len(in_order(page))
    say(page, "as if nothing had been")
    until(lambda: len(in_order(page)) > before, 20, "the count to go on")


def test_a_connection_that_stays_away_ends_the_session_and_says_so(url: str, page: Page) -> None:
    page.add_init_script(SWITCH)
    with_settings(page, url, graceSeconds=-9)
    page.evaluate("window.down = true; window.sockets.at(-1).close()")
    dialog = page.get_by_role("alertdialog", name="Your session has ended")
    expect(dialog).to_contain_text("lost for too long", timeout=20_000)
    expect(dialog).to_contain_text("4705")
    page.evaluate("window.down = false")
    with page.expect_navigation():
        dialog.get_by_role("button", name="Reload").click()
    expect(page.locator("#heard")).to_have_text("heard:", timeout=START)
