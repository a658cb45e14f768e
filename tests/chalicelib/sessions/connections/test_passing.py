"""WebSocket events through the Chalice handlers: who may connect, and what a frame costs."""

import json
from collections import Counter
from typing import Any

import boto3
import pytest

import app as lambdas
from chalicelib.agents.errors import AgentGone
from chalicelib.instances import store
from chalicelib.instances.model import Instance
from chalicelib.instances.secret import Purpose, key_for
from chalicelib.lambdas.environment import Environment
from chalicelib.sessions.connections import store as connections
from chalicelib.sessions.connections.offer import ticket_in
from chalicelib.sessions.tickets import issue
from tests.chalicelib.proxy_events import Context
from tests.chalicelib.standin_agent import Say, StandinAgent

CONNECTION = "L0SM9cOFvHcCIhw="


@pytest.fixture(autouse=True)
def environment(dynamodb_calls: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lambdas, "here", Environment())


@pytest.fixture
def instance(agent: StandinAgent) -> Instance:
    claimed = store.claim("0123456789ab.v", 0, app="/hello", capacity=9, now=1.0)
    assert claimed is not None
    return store.mark_ready(claimed.ref, agent.address, "token", 1.0)


def event(kind: str, body: str | None = None, protocols: str | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {
        "requestContext": {
            "connectionId": CONNECTION,
            "domainName": "x",
            "stage": "socket",
            "apiId": "a",
            "routeKey": kind,
            "requestId": "r",
        },
        "isBase64Encoded": False,
    }
    if body is not None:
        made["body"] = body
    if protocols is not None:
        made["headers"] = {"Sec-WebSocket-Protocol": protocols}
    return made


def connect(instance: Instance, lifetime: float = 600) -> dict[str, Any]:
    ticket = issue(
        "session1",
        instance.ref,
        key_for(instance.secret, Purpose.TICKET),
        lambdas.here.clock(),
        lifetime,
    )
    answer: dict[str, Any] = lambdas.websocket_connect(
        event("$connect", protocols=f"sheen, ticket.{ticket}"), Context()
    )
    return answer


def test_a_valid_ticket_opens_the_door_and_the_protocol_is_named(instance: Instance) -> None:
    assert connect(instance) == {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "sheen"}}
    row = connections.find(CONNECTION)
    assert row is not None
    assert (row.instance, row.session_id) == (str(instance.ref), "session1")


@pytest.mark.parametrize(
    "protocols", [None, "", "sheen", "sheen, ticket.", "sheen, ticket.abc.def", "ticket.abc.def"]
)
def test_no_ticket_no_connection(protocols: str | None, instance: Instance) -> None:
    assert (
        lambdas.websocket_connect(event("$connect", protocols=protocols), Context())["statusCode"]
        == 403
    )
    assert connections.find(CONNECTION) is None


def test_an_expired_ticket_or_one_of_a_stopped_instance_is_refused(instance: Instance) -> None:
    assert connect(instance, lifetime=-1)["statusCode"] == 403
    store.mark_stopped(instance.ref, None, 1.0)
    assert connect(instance)["statusCode"] == 403


def test_frames_reach_the_agent_as_they_are(instance: Instance, agent: StandinAgent) -> None:
    connect(instance)
    frames = ["[]", '["0#0|m|{\\"a\\":\\"\u00fc\U0001f600\\"}"]', "None", "x" * 32_000]
    for frame in frames:
        assert lambdas.websocket_message(event("$default", frame), Context()) == {"statusCode": 200}
    assert [got.body.decode() for got in agent.got] == frames
    assert {got.path for got in agent.got} == {"/connections/L0SM9cOFvHcCIhw%3D"}
    assert {got.header("sheen-session") for got in agent.got} == {"session1"}


def test_a_warm_frame_costs_one_request_on_a_kept_connection_and_nothing_else(
    instance: Instance,
    agent: StandinAgent,
    dynamodb_calls: Counter[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect(instance)
    lambdas.websocket_message(event("$default", "first"), Context())
    dynamodb_calls.clear()
    monkeypatch.setattr(boto3, "client", lambda *_, **__: pytest.fail("a client was made"))
    for number in range(20):
        lambdas.websocket_message(event("$default", str(number)), Context())
    assert dynamodb_calls.total() == 0
    assert len(agent.got) == 21
    assert len({got.connection for got in agent.got}) == 1


def test_a_first_frame_of_another_connection_to_a_known_instance_costs_one_call(
    instance: Instance, agent: StandinAgent, dynamodb_calls: Counter[str]
) -> None:
    connect(instance)
    lambdas.websocket_message(event("$default", "[]"), Context())
    other = event("$default", "[]")
    other["requestContext"]["connectionId"] = "another="
    connections.add("another=", instance.ref, "session2", lambdas.here.clock())
    dynamodb_calls.clear()
    lambdas.websocket_message(other, Context())
    assert dynamodb_calls.total() == 1


def test_a_stale_memory_is_looked_up_again(instance: Instance, agent: StandinAgent) -> None:
    connect(instance)
    lambdas.websocket_message(event("$default", "first"), Context())
    store.mark_stopped(instance.ref, None, 1.0)
    agent.answer = lambda got: Say(410, [("sheen-refused", "another instance")])
    with pytest.raises(AgentGone):
        lambdas.websocket_message(event("$default", "second"), Context())


def test_a_frame_of_a_connection_that_is_gone_is_dropped(agent: StandinAgent) -> None:
    assert lambdas.websocket_message(event("$default", "late"), Context()) == {"statusCode": 200}
    assert agent.got == []


def test_a_session_that_the_agent_does_not_know_is_the_agents_to_tell(
    instance: Instance, agent: StandinAgent
) -> None:
    connect(instance)
    agent.answer = lambda got: Say(404)
    assert lambdas.websocket_message(event("$default", "x"), Context()) == {"statusCode": 200}


def test_a_goodbye_reaches_the_agent_and_the_row_goes(
    instance: Instance, agent: StandinAgent
) -> None:
    connect(instance)
    for _ in range(2):
        assert lambdas.websocket_disconnect(event("$disconnect"), Context()) == {"statusCode": 200}
    assert [(got.method, got.path) for got in agent.got] == [
        ("DELETE", "/connections/L0SM9cOFvHcCIhw%3D")
    ]
    assert connections.find(CONNECTION) is None


def test_a_goodbye_to_nobody_is_no_error(instance: Instance) -> None:
    connect(instance)
    store.mark_stopped(instance.ref, None, 1.0)
    assert lambdas.websocket_disconnect(event("$disconnect"), Context()) == {"statusCode": 200}
    assert connections.find(CONNECTION) is None


@pytest.mark.parametrize(
    ("header", "ticket"),
    [
        ("sheen, ticket.a.b", "a.b"),
        ("ticket.a.b,sheen", "a.b"),
        ("ticket.a.b", None),
        ("", None),
        ("sheen,ticket.", ""),
    ],
)
def test_the_ticket_is_found_in_the_offer(header: str, ticket: str | None) -> None:
    assert ticket_in(header) == ticket


def test_refusals_say_why() -> None:
    assert "load the page again" in json.dumps(
        lambdas.websocket_connect(event("$connect"), Context())
    )
