"""The kept-alive client: nothing is sent twice that may not be, and a dead agent is told from a slow one."""

import time
from collections.abc import Iterator

import pytest

from chalicelib.agents.client import Agent, AgentClient
from chalicelib.agents.errors import AgentGone, AgentSilent
from tests.chalicelib.standin_agent import Got, Say, StandinAgent, standin_agent


@pytest.fixture
def there() -> Iterator[StandinAgent]:
    with standin_agent() as server:
        yield server


def agent(server: StandinAgent) -> Agent:
    return Agent(server.address, "00112233", "k" * 64)


def test_requests_share_one_connection_and_carry_the_key(there: StandinAgent) -> None:
    client = AgentClient()
    for _ in range(3):
        assert client.request(agent(there), "POST", "/connections/c", [("x-one", "1"), ("x-one", "2")], b"frame").body == b"ok"
    assert len({got.connection for got in there.got}) == 1
    assert there.got[0].header("sheen-agent-key") == "k" * 64
    assert there.got[0].header("sheen-instance") == "00112233"
    assert [value for name, value in there.got[0].headers if name == "x-one"] == ["1", "2"]
    assert there.got[0].body == b"frame"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connection_that_the_agent_closed_meanwhile_is_not_used(there: StandinAgent, method: str) -> None:
    client = AgentClient()
    there.answer = lambda got: Say(then_close=True)
    client.request(agent(there), method, "/")
    time.sleep(0.05)
    assert client.request(agent(there), method, "/").status == 200
    assert len(there.got) == 2


def test_a_safe_request_is_sent_once_more_when_a_used_connection_breaks(there: StandinAgent) -> None:
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
