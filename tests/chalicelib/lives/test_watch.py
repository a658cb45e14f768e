"""Putting an instance into service: no visitor is sent to an agent that has not answered."""

import json

import pytest

from chalicelib.agents.client import AgentClient
from chalicelib.agents.errors import AgentError, AgentGone
from chalicelib.instances import store
from chalicelib.instances.errors import InstanceChanged
from chalicelib.instances.model import InstanceRef
from chalicelib.lives.watch import WatchEvent, order_of, watch
from tests.chalicelib.standin_agent import Got, Say, StandinAgent

pytestmark = pytest.mark.usefixtures("dynamodb_calls")


def clock() -> float:
    return 1_800_000_000.0


def started() -> InstanceRef:
    claimed = store.claim("0123456789ab.v", 0, app="/hello", capacity=9, now=1.0)
    assert claimed is not None
    return claimed.ref


def state(ref: InstanceRef) -> str:
    row = store.get(ref)
    assert row is not None
    return str(row.state)


def event(
    ref: InstanceRef,
    agent: StandinAgent,
    token: str = "token",  # noqa: S107
    retry: int = 0,
) -> WatchEvent:
    entered = "2026-11-20T13:31:44.192Z"
    return {
        "instance": str(ref),
        "address": agent.address,
        "task": "task/1",
        "token": token,
        "entered": entered,
        "retry": retry,
    }


def test_the_agent_has_the_token_before_visitors_are_sent_to_it(agent: StandinAgent) -> None:
    ref = started()
    seen = []

    def look(got: Got) -> Say:
        seen.append((json.loads(got.body)["token"], state(ref)))
        return Say(204, body=b"")

    agent.answer = look
    watch(event(ref, agent), AgentClient(), clock)
    assert seen == [("token", "STARTING")]
    row = store.get(ref)
    assert row is not None
    assert (row.state, row.address, row.token) == ("READY", agent.address, "token")


@pytest.mark.parametrize("status", [403, 410, 404, 500])
def test_an_agent_that_does_not_take_the_token_gets_no_visitors(
    agent: StandinAgent, status: int
) -> None:
    ref = started()
    agent.answer = lambda got: Say(status)
    with pytest.raises(AgentError):
        watch(event(ref, agent), AgentClient(), clock)
    assert state(ref) == "STARTING"


def test_an_address_with_nobody_gets_no_visitors(agent: StandinAgent) -> None:
    ref = started()
    nobody: WatchEvent = {
        "instance": str(ref),
        "address": "127.0.0.1:1",
        "task": "task/1",
        "token": "t",
    }
    with pytest.raises(AgentGone):
        watch(nobody, AgentClient(), clock)
    assert state(ref) == "STARTING"


def test_an_instance_that_was_given_up_is_not_put_into_service(agent: StandinAgent) -> None:
    ref = started()
    store.mark_stopped(ref, {"error": "States.Timeout", "cause": ""}, 1.0)
    with pytest.raises(InstanceChanged):
        watch(event(ref, agent), AgentClient(), clock)
    assert agent.got == []


def test_an_attempt_that_was_given_up_and_goes_on_does_not_bring_its_token_back(
    agent: StandinAgent,
) -> None:
    ref = started()

    def overtaken(got: Got) -> Say:
        agent.answer = lambda got: Say(204, body=b"")
        watch(event(ref, agent, "retried", 1), AgentClient(), clock)
        return Say(204, body=b"")

    agent.answer = overtaken
    with pytest.raises(InstanceChanged, match="later token"):
        watch(event(ref, agent, "given-up", 0), AgentClient(), clock)
    row = store.get(ref)
    assert row is not None
    assert (row.state, row.token) == ("READY", "retried")


def test_later_tokens_have_greater_orders_whenever_their_state_was_entered() -> None:
    anything: WatchEvent = {"instance": "", "address": "", "task": "", "token": ""}
    times = [
        "2026-11-20T13:31:44Z",
        "2026-11-20T13:31:44.007Z",
        "2026-11-20T13:31:45.192345+00:00",
        "2027-01-01T00:00:00Z",
    ]
    orders = [
        order_of({**anything, "entered": entered, "retry": retry})
        for entered in times
        for retry in (0, 1, 9)
    ]
    assert orders == sorted(set(orders))
    assert order_of(anything) < orders[0], "an execution that is older than this code does not say"


def test_the_second_time_around_hands_over_the_new_token(agent: StandinAgent) -> None:
    ref = started()
    for token in ("one", "two"):
        watch(event(ref, agent, token), AgentClient(), clock)
    row = store.get(ref)
    assert row is not None
    assert (row.state, row.token) == ("READY", "two")
