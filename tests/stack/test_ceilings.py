"""One visitor cannot fill an app, and a program can wake one."""

import http.cookies
import time
from pathlib import Path

import pytest

from tests.support.apps import app
from tests.support.stack import StackProcess
from tests.support.waiting import until

pytestmark = pytest.mark.stack

HTML = {"accept": "text/html"}


def test_a_program_wakes_an_app_and_the_seats_that_bare_requests_took_go_to_who_queues(
    stack: StackProcess, tmp_path: Path
) -> None:
    stack.publish(app(tmp_path / "echo"), "/crowd", simple_scheduler=3)
    assert stack.get("/crowd/", {"user-agent": "Googlebot/2.1", **HTML}).status == 200
    assert stack.get("/crowd/", {"sec-purpose": "prefetch", **HTML}).status == 503
    assert stack.instance_of("/crowd") is None, "nothing starts for these"

    def answered() -> bool:
        answer = stack.get("/crowd/", {"accept": "*/*"})
        assert answer.status == 200 or answer.headers["retry-after"]
        return answer.status == 200

    until(
        answered,
        90,
        "the app to answer a program: at the first try, if it starts within 25 seconds",
    )
    for _ in range(6):
        stack.get("/crowd/", HTML)
    full = stack.get("/crowd/", HTML)
    assert full.status == 503
    place = http.cookies.SimpleCookie(full.headers["set-cookie"])["sheen-place"]
    began = time.monotonic()

    def let_in() -> bool:
        stack.get(f"/crowd/__sheen__/queue?place={place.value}")
        return stack.get("/crowd/", {"cookie": f"sheen-place={place.value}", **HTML}).status == 200

    until(let_in, 70, "the seats and the places of those who do not stay to be free")
    assert time.monotonic() - began < 45, "not only when the seats' time is over anyway"
