"""The kept-alive client: nothing is sent twice that may not be, and a dead agent is told from a
slow one.
"""

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.agents import client as module
from chalicelib.agents.client import Agent, AgentClient
from chalicelib.agents.errors import AgentGone, AgentSilent
from tests.chalicelib.standin_agent import Got, Say, StandinAgent, standin_agent


@pytest.fixture
def there() -> Iterator[StandinAgent]:
    with standin_agent() as server:
        yield server


@pytest.fixture(scope="module")
def shared() -> Iterator[StandinAgent]:
    with standin_agent() as server:
        server.answer = lambda got: Say(body=got.path.encode())
        yield server


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine has vanished after one second, not three."""
    monkeypatch.setattr(module, "VANISHED_AFTER", 1.0)
    monkeypatch.setattr(module, "CONNECT_TIMEOUT", 0.5)


def agent(server: StandinAgent) -> Agent:
    return Agent(server.address, "00112233", "k" * 64)


def test_requests_share_one_connection_and_carry_the_key(there: StandinAgent) -> None:
    client = AgentClient()
    for _ in range(3):
        assert (
            client.request(
                agent(there), "POST", "/connections/c", [("x-one", "1"), ("x-one", "2")], b"frame"
            ).body
            == b"ok"
        )
    assert len({got.connection for got in there.got}) == 1
    assert there.got[0].header("sheen-agent-key") == "k" * 64
    assert there.got[0].header("sheen-instance") == "00112233"
    assert [value for name, value in there.got[0].headers if name == "x-one"] == ["1", "2"]
    assert there.got[0].body == b"frame"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connection_that_the_agent_closed_meanwhile_is_not_used(
    there: StandinAgent, method: str
) -> None:
    client = AgentClient()
    there.answer = lambda got: Say(then_close=True)
    client.request(agent(there), method, "/")
    time.sleep(0.05)
    assert client.request(agent(there), method, "/").status == 200
    assert len(there.got) == 2


def test_a_safe_request_is_sent_once_more_when_a_used_connection_breaks(
    there: StandinAgent,
) -> None:
    client = AgentClient()
    client.request(agent(there), "GET", "/")
    there.answer = lambda got: Say(break_off=len(there.got) == 2)
    assert client.request(agent(there), "GET", "/").status == 200
    assert len(there.got) == 3


def test_an_unsafe_request_is_never_sent_twice(there: StandinAgent) -> None:
    client = AgentClient()
    client.request(agent(there), "GET", "/")
    there.answer = lambda got: Say(break_off=True)
    with pytest.raises(AgentSilent):
        client.request(agent(there), "POST", "/app/pay", body=b"once")
    assert len(there.got) == 2


def test_nobody_there_is_gone() -> None:
    with standin_agent() as server:
        where = agent(server)
    with pytest.raises(AgentGone):
        AgentClient().request(where, "POST", "/")


def test_another_instances_agent_is_gone_but_an_apps_own_410_is_not(there: StandinAgent) -> None:
    there.answer = lambda got: Say(410, [("sheen-refused", "another instance")])
    with pytest.raises(AgentGone):
        AgentClient().request(agent(there), "GET", "/app/")
    there.answer = lambda got: Say(410)
    assert AgentClient().request(agent(there), "GET", "/app/").status == 410


def test_a_slow_agent_is_silent_and_its_connection_is_not_used_again(there: StandinAgent) -> None:
    def slow(got: Got) -> Say:
        time.sleep(0.3 if got.path == "/slow" else 0)
        return Say(body=got.path.encode())

    there.answer = slow
    client = AgentClient(timeout=0.1)
    with pytest.raises(AgentSilent, match=r"within 0\.1 s"):
        client.request(agent(there), "GET", "/slow")
    assert client.request(agent(there), "GET", "/next").body == b"/next"


def test_head_and_empty_answers_leave_the_connection_usable(there: StandinAgent) -> None:
    client = AgentClient()
    assert client.request(agent(there), "HEAD", "/").body == b""
    there.answer = lambda got: Say(304, body=b"")
    assert client.request(agent(there), "GET", "/").status == 304
    assert len({got.connection for got in there.got}) == 1


def test_an_agent_whose_machine_vanished_is_gone_in_seconds(
    there: StandinAgent, quick: None
) -> None:
    client = AgentClient()
    client.request(agent(there), "GET", "/")
    there.vanish()
    began = time.monotonic()
    with pytest.raises(AgentGone):
        client.request(agent(there), "GET", "/")
    assert time.monotonic() - began < 8, "one second to notice, half a second for a new connection"
    assert len(there.got) == 1


def test_an_unsafe_request_to_a_vanished_machine_is_not_known_to_be_lost(
    there: StandinAgent, quick: None
) -> None:
    client = AgentClient()
    client.request(agent(there), "GET", "/")
    there.vanish()
    with pytest.raises(AgentSilent, match="broke off"):
        client.request(agent(there), "POST", "/app/pay", body=b"once")
    with pytest.raises(AgentGone):
        client.request(agent(there), "POST", "/app/pay", body=b"once")


def test_a_machine_that_vanishes_while_it_computes_is_noticed(
    there: StandinAgent, quick: None
) -> None:
    over = threading.Event()

    def vanish(got: Got) -> Say:
        there.vanish()
        over.wait(20)
        return Say()

    there.answer = vanish
    began = time.monotonic()
    with pytest.raises(AgentGone):
        AgentClient().request(agent(there), "GET", "/app/page")
    over.set()
    assert time.monotonic() - began < 10
    assert len(there.got) == 1


def test_an_agent_that_computes_for_longer_than_a_vanished_one_is_waited_for(
    there: StandinAgent, quick: None
) -> None:
    def slow(got: Got) -> Say:
        time.sleep(2.5)
        return Say()

    client = AgentClient()
    client.request(agent(there), "GET", "/")
    there.answer = slow
    assert client.request(agent(there), "POST", "/app/compute", body=b"x" * 300_000).status == 200
    assert len(there.got) == 2


@pytest.mark.parametrize(
    ("method", "slept", "kept"),
    [("GET", 59, 1), ("GET", 61, 2), ("GET", -1, 2), ("POST", 4, 1), ("POST", 6, 2)],
)
def test_a_connection_that_was_not_used_for_long_is_replaced(
    there: StandinAgent, method: str, slept: float, kept: int
) -> None:
    now = 1000.0
    client = AgentClient(clock=lambda: now)
    client.request(agent(there), "GET", "/")
    now += slept
    client.request(agent(there), method, "/")
    assert len(there.connections) == kept


ANY = st.text(st.characters())
"""Surrogates and control characters too, as an event's JSON may have them."""


@given(headers=st.lists(st.tuples(ANY, ANY), max_size=3), target=ANY)
def test_whatever_a_header_or_path_holds_the_next_request_gets_its_own_answer(
    shared: StandinAgent, headers: list[tuple[str, str]], target: str
) -> None:
    with_bodies = {"content-length", "transfer-encoding", "expect", "connection", "upgrade"}
    headers = [(name, value) for name, value in headers if name.lower() not in with_bodies]
    client = AgentClient()
    client.request(agent(shared), "GET", f"/{target}", headers)
    assert client.request(agent(shared), "GET", "/next").body == b"/next"


def test_a_headers_bytes_arrive_as_they_were_sent(there: StandinAgent) -> None:
    sent = [("x-euro", "\u20acuro"), ("x-raw", b"caf\xe9".decode("utf-8", "surrogateescape"))]
    AgentClient().request(agent(there), "GET", "/", sent)
    got = {
        name: value.encode("latin-1")
        for name, value in there.got[0].headers
        if name.startswith("x-")
    }
    assert got == {"x-euro": "\u20acuro".encode(), "x-raw": b"caf\xe9"}


def test_a_request_that_cannot_be_sent_leaves_no_half_used_connection(there: StandinAgent) -> None:
    client = AgentClient()
    client.request(agent(there), "GET", "/")
    with pytest.raises(ValueError, match="control"):
        client.request(agent(there), "GE\nT", "/")
    assert client.request(agent(there), "GET", "/").status == 200
