"""The client over each of its transports: on the real stack, chosen as a visitor chooses them, and
cut.
"""

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from playwright.sync_api import Page, Request, expect

from tests.support.apps import app
from tests.support.carrying import CARRY, in_order, say
from tests.support.memory import Growth, descendants, named
from tests.support.stack import StackProcess
from tests.support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.browser]

START = 60_000
FALLBACKS = [
    "xhr-polling",
    "iframe-xhr-polling",
    "jsonp-polling",
    "xhr-streaming",
    "iframe-eventsource",
    "iframe-htmlfile",
]
URLS = {
    "xhr-polling": "xhr",
    "iframe-xhr-polling": "xhr",
    "jsonp-polling": "jsonp",
    "xhr-streaming": "xhr_streaming",
    "iframe-eventsource": "eventsource",
    "iframe-htmlfile": "htmlfile",
}


@pytest.fixture(scope="module")
def url(stack: StackProcess, tmp_path_factory: pytest.TempPathFactory) -> str:
    address = stack.publish(app(tmp_path_factory.mktemp("carry"), CARRY), "/carry")
    stack.wake("/carry/")
    return address


@pytest.fixture
def tab(page: Page) -> Iterator[Callable[..., Page]]:
    """Opens a page of the app with only some transports, as the chooser keeps them, and WebSockets
    that a test may block.
    """

    def opened(url: str, *transports: str, block: bool = False) -> Page:
        page.add_init_script(
            f"localStorage.setItem('sheen-transports', '{json.dumps(transports)}')"
        )
        if block:
            refused = "constructor(url, protocols) { super('ws://127.0.0.1:9/', protocols); }"
            page.add_init_script(f"window.WebSocket = class extends WebSocket {{ {refused} }}")
        page.goto(url)
        expect(page.locator("#heard")).to_have_text("heard:", timeout=START)
        return page

    yield opened


def requests(page: Page) -> list[Request]:
    """What the page asks of SockJS from now on."""
    asked: list[Request] = []
    page.on(
        "request", lambda request: asked.append(request) if "/__sockjs__/" in request.url else None
    )
    return asked


def received_by(asked: list[Request]) -> set[str]:
    """The ends of the URLs by which frames came."""
    ends = {request.url.partition("?")[0].rpartition("/")[2] for request in asked}
    return {end for end in ends if not end.endswith(("info", "_send", ".html"))}


def cut_websockets(stack: StackProcess) -> int:
    """Cut all WebSocket connections of the stack, as AWS may; return how many."""
    variables = stack.environment()
    rows = stack.client("dynamodb").scan(TableName=variables["SHEEN_TABLE_PREFIX"] + "connections")[
        "Items"
    ]
    gateway = boto3.client(
        "apigatewaymanagementapi", endpoint_url=f"{stack.url}/socket", region_name=variables["AWS_DEFAULT_REGION"],  # noqa: E501
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"], aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],  # noqa: E501
    )  # fmt: skip
    for row in rows:
        with contextlib.suppress(gateway.exceptions.GoneException):
            gateway.delete_connection(ConnectionId=row["connection_id"]["S"])
    return len(rows)


def agents(stack: StackProcess) -> list[int]:
    assert stack.process is not None
    return descendants(stack.process.pid)


def goes_on(page: Page) -> None:
    """The session goes on after a cut with nothing lost, doubled or out of order."""
    before = len(in_order(page))
    say(page, "after the cut 100 % ä €")
    until(lambda: len(in_order(page)) > before + 3, 20, "ticks after the cut")


def test_a_cut_websocket_resumes_its_session(
    stack: StackProcess, url: str, tab: Callable[..., Page]
) -> None:
    page = tab(url, "websocket")
    asked = requests(page)
    say(page, "before")
    assert cut_websockets(stack) >= 1
    goes_on(page)
    assert not asked
    expect(page.locator(".sheen-notice")).to_have_count(0)


@pytest.mark.parametrize("transport", FALLBACKS)
def test_a_transport_alone_carries_a_session_and_resumes_it(
    transport: str, url: str, tab: Callable[..., Page], page: Page
) -> None:
    asked = requests(page)
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    tab(url, transport)
    say(page, "before 50 %")
    with page.expect_event("requestfailed"):
        page.context.set_offline(True)
    page.context.set_offline(False)
    goes_on(page)
    assert not sockets
    assert received_by(asked) == {URLS[transport]}
    # An event source that breaks off is asked anew by SockJS itself, below the same URL; what was
    # lost is asked for.
    assert any("/o=" in request.url for request in asked) or transport in (
        "iframe-eventsource",
        "iframe-htmlfile",
    )


def test_without_websockets_the_page_goes_on_by_polling(
    url: str, tab: Callable[..., Page], page: Page
) -> None:
    asked = requests(page)
    begun = time.monotonic()
    tab(url, "websocket", *FALLBACKS, block=True)
    assert time.monotonic() - begun < 15
    say(page, "by polling")
    assert received_by(asked) == {"xhr"}


def test_two_tabs_by_polling_have_a_session_each(
    url: str, tab: Callable[..., Page], page: Page
) -> None:
    tab(url, "xhr-polling")
    say(page, "first")
    other = page.context.new_page()
    other.goto(url)
    expect(other.locator("#heard")).to_have_text("heard:", timeout=START)
    say(other, "second")
    expect(page.locator("#heard")).to_have_text("heard: first")


def test_ctrl_alt_shift_a_opens_the_protocol_chooser(url: str, page: Page) -> None:
    page.goto(url)
    expect(page.locator("#heard")).to_have_text("heard:", timeout=START)
    page.keyboard.press("Control+Alt+Shift+A")
    dialog = page.get_by_role("dialog", name="Ways to connect")
    expect(dialog).to_contain_text("connected by websocket")
    for box in dialog.get_by_role("checkbox").all():
        expect(box).to_be_checked()
        box.uncheck()
    dialog.get_by_role("button", name="Apply").click()
    expect(dialog.get_by_role("status")).to_have_text(re.compile("at least one"))
    dialog.get_by_role("checkbox", name="jsonp-polling").check()
    asked = requests(page)
    with page.expect_navigation():
        dialog.get_by_role("button", name="Apply").click()
    expect(page.locator("#heard")).to_have_text("heard:", timeout=START)
    assert received_by(asked) == {"jsonp"}
    page.keyboard.press("Control+Alt+Shift+A")
    expect(dialog).to_contain_text("connected by jsonp-polling")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.keyboard.press("Control+Alt+Shift+A")
    with page.expect_navigation():
        dialog.get_by_role("button", name="Use all").click()
    assert page.evaluate("localStorage.getItem('sheen-transports')") is None


def test_an_app_says_which_transports_it_uses(
    stack: StackProcess, page: Page, tmp_path: Path
) -> None:
    settings = {
        "disable_websockets": "true",
        "disable_protocols": "xhr-polling xdr-polling iframe-xhr-polling",
    }
    asked = requests(page)
    page.goto(stack.publish(app(tmp_path / "few", CARRY), "/few", **settings))
    expect(page.locator("#heard")).to_have_text("heard:", timeout=START)
    say(page, "by what is left")
    assert received_by(asked) == {"jsonp"}
    prefix = next(request.url for request in asked if "/info" in request.url).partition("/info")[0]
    refused = page.request.post(f"{prefix}/000/another/xhr")
    assert refused.status == 404 and "does not use xhr" in refused.text()
    config = json.loads(page.locator("#sheen-config").text_content() or "")
    told = page.evaluate(
        """([ticket, id]) => new Promise(resolve => {
          const socket = new WebSocket(`ws://${location.host}/socket?n=${id}`, ["sheen", "ticket." + ticket]);
          socket.onopen = () => socket.send(JSON.stringify({sheen: 1, id, resume: false, attempt: 1, next: "0"}));
          socket.onmessage = message => resolve(message.data);
          socket.onclose = () => resolve("closed");
        })""",  # noqa: E501
        [config["ticket"], "A" * 18],
    )
    assert told.startswith("c[4509,")
    say(page, "the session is unharmed")


@pytest.mark.parametrize(("transport", "megabytes"), [("xhr-polling", 10), ("websocket", 50)])
def test_one_message_of_any_size_arrives_either_way(
    transport: str, megabytes: int, stack: StackProcess, url: str, tab: Callable[..., Page]
) -> None:
    page = tab(url, transport)
    size = megabytes * 1_000_000
    growth = Growth(
        named(agents(stack), lambda command: "agent" if "-m agent" in command else None)
    )
    page.evaluate("size => Shiny.setInputValue('want', size)", size)
    until(
        lambda: page.evaluate("window.got") == [size, "begin", "xxend"],
        60,
        "the large message from R",
    )
    page.evaluate("size => Shiny.setInputValue('big', 'start' + 'y'.repeat(size - 5))", size)
    expect(page.locator("#took")).to_have_text(f"{size} start", timeout=60_000)
    assert growth.most()["agent"] < 100 + 5 * megabytes
    say(page, "and on it goes")
    in_order(page)
