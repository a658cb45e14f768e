from __future__ import annotations

import base64
import json
from typing import Any

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent
from chalice.app import Request, WebsocketEvent
from hypothesis import given
from hypothesis import strategies as st

from infra.emulator.gateway import RestRoute, RestRoutes, WebSocketRoutes, events
from infra.emulator.gateway.events import SocketContext, WireRequest
from infra.emulator.gateway.routes import match_route

ROUTES = RestRoutes(
    (RestRoute("/{proxy+}", frozenset({"ANY"}), "page"),), ("image/*",), stage="local"
)
SOCKETS = WebSocketRoutes("connect", "message", "disconnect")
NOW = 1_700_000_000.25
HEADERS = (
    ("Host", "apps.example:8000"),
    ("User-Agent", "Browser/1"),
    ("Cookie", "a=1"),
    ("cookie", "b=2"),
    ("Connection", "keep-alive"),
    ("Transfer-Encoding", "chunked"),
    ("Authorization", "AWS4-HMAC-SHA256 Credential=x"),
    ("X-Forwarded-For", "10.0.0.1"),
    ("X-Forwarded-Proto", "gopher"),
)


def received(**changes: Any) -> WireRequest:
    return WireRequest(
        **{
            "method": "POST",
            "path": "/hello/a%20b/",
            "query": "w=1&w=&x=%C3%A9+y",
            "headers": HEADERS,
            "source_ip": "192.0.2.7",
            "port": "8000",
            **changes,
        }
    )


def rest(body: bytes = b"", **changes: Any) -> dict[str, Any]:
    request = received(**changes)
    match = match_route(ROUTES, request.method, request.path)
    assert match is not None
    event = events.rest_event(
        request, match, ROUTES, body, request_id="r-1", trace="Root=1-0-0", now=NOW
    )
    parsed: dict[str, Any] = json.loads(events.encoded(event))
    return parsed


def test_a_rest_event_has_the_shape_of_payload_format_one() -> None:
    event = rest(b"caf\xc3\xa9")
    assert event["resource"] == "/{proxy+}"
    assert event["path"] == "/hello/a%20b/"
    assert event["pathParameters"] == {"proxy": "hello/a%20b"}
    assert event["httpMethod"] == "POST"
    assert event["queryStringParameters"] == {"w": "", "x": "é y"}
    assert event["multiValueQueryStringParameters"] == {"w": ["1", ""], "x": ["é y"]}
    assert event["stageVariables"] is None
    assert (event["body"], event["isBase64Encoded"]) == ("café", False)
    context = event["requestContext"]
    assert context["resourcePath"] == "/{proxy+}"
    assert context["path"] == "/hello/a%20b/"
    assert context["stage"] == "local"
    assert context["requestId"] == "r-1"
    assert context["httpMethod"] == "POST"
    assert context["identity"]["sourceIp"] == "192.0.2.7"
    assert context["identity"]["userAgent"] == "Browser/1"
    assert context["domainName"] == "apps.example:8000"
    assert context["requestTime"] == "14/Nov/2023:22:13:20 +0000"
    assert context["requestTimeEpoch"] == 1_700_000_000_250


def test_headers_of_the_hop_and_signatures_stay_outside_and_forwarding_ones_are_the_gateways_own() -> (  # noqa: E501
    None
):
    event = rest()
    assert event["multiValueHeaders"] == {
        "Host": ["apps.example:8000"],
        "User-Agent": ["Browser/1"],
        "Cookie": ["a=1", "b=2"],
        "X-Amzn-Trace-Id": ["Root=1-0-0"],
        "X-Forwarded-For": ["10.0.0.1, 192.0.2.7"],
        "X-Forwarded-Port": ["8000"],
        "X-Forwarded-Proto": ["http"],
    }
    assert event["headers"]["Cookie"] == "b=2"


def test_an_empty_query_or_body_is_null() -> None:
    event = rest(query="")
    assert event["queryStringParameters"] is None
    assert event["multiValueQueryStringParameters"] is None
    assert event["body"] is None


@given(st.binary(min_size=1, max_size=200))
def test_a_body_of_a_binary_type_comes_back_byte_for_byte(body: bytes) -> None:
    event = rest(body, headers=(("Content-Type", "IMAGE/png; q=1"),))
    assert event["isBase64Encoded"]
    assert base64.b64decode(event["body"]) == body


@given(st.binary(min_size=1, max_size=200), st.text(max_size=50), st.text(max_size=50))
def test_whatever_a_client_sends_becomes_an_event(body: bytes, header: str, query: str) -> None:
    hostile = header + "\udc80"
    event = rest(body, headers=(("Content-Type", "text/plain"), ("X", hostile)), query=query)
    assert not event["isBase64Encoded"]
    assert event["body"] == body.decode("utf-8", "replace")


def test_chalice_and_powertools_understand_the_event() -> None:
    event = rest(b"{}", headers=(*HEADERS, ("Content-Type", "application/json")))
    request = Request(event)
    assert request.uri_params == {"proxy": "hello/a%20b"}
    assert request.query_params is not None
    assert request.query_params.getlist("w") == ["1", ""]
    assert request.json_body == {}
    assert request.headers["user-agent"] == "Browser/1"
    proxy = APIGatewayProxyEvent(event)
    assert proxy.request_context.identity.source_ip == "192.0.2.7"
    assert proxy.request_context.request_time_epoch == 1_700_000_000_250


VISITOR = SocketContext("L0SM9cOFvHcCIhw=", NOW - 1, "192.0.2.7", "Browser/1", "apps.example")


def test_connect_has_the_clients_headers_and_query() -> None:
    event = events.connect_event(
        VISITOR, SOCKETS, received(method="GET", path="/socket"), request_id="r", trace="t", now=NOW
    )
    context = event["requestContext"]
    assert context["routeKey"] == "$connect"
    assert context["eventType"] == "CONNECT"
    assert context["connectionId"] == "L0SM9cOFvHcCIhw="
    assert context["connectedAt"] == 1_699_999_999_250
    assert context["messageDirection"] == "IN"
    assert context["stage"] == "socket"
    assert context["identity"] == {"userAgent": "Browser/1", "sourceIp": "192.0.2.7"}
    assert event["queryStringParameters"] == {"w": "", "x": "é y"}
    assert event["multiValueHeaders"]["Cookie"] == ["a=1", "b=2"]
    assert "body" not in event
    bare = events.connect_event(
        VISITOR, SOCKETS, received(query=""), request_id="r", trace="t", now=NOW
    )
    assert "queryStringParameters" not in bare


def test_a_message_has_no_headers_and_its_own_id() -> None:
    event = events.message_event(VISITOR, SOCKETS, "hi", request_id="r", message_id="m", now=NOW)
    assert set(event) == {"requestContext", "body", "isBase64Encoded"}
    assert event["requestContext"]["routeKey"] == "$default"
    assert event["requestContext"]["eventType"] == "MESSAGE"
    assert event["requestContext"]["messageId"] == "m"
    seen = WebsocketEvent(event, None)
    assert (seen.connection_id, seen.body, seen.stage) == ("L0SM9cOFvHcCIhw=", "hi", "socket")


def test_disconnect_has_the_code_and_the_reason() -> None:
    nameless = SocketContext("id=", NOW, "192.0.2.7", None, "apps.example")
    event = events.disconnect_event(
        nameless, SOCKETS, code=1001, reason="Going away", request_id="r", now=NOW
    )
    context = event["requestContext"]
    assert (context["routeKey"], context["eventType"]) == ("$disconnect", "DISCONNECT")
    assert (context["disconnectStatusCode"], context["disconnectReason"]) == (1001, "Going away")
    assert context["identity"] == {"sourceIp": "192.0.2.7"}
    assert event["multiValueHeaders"]["x-restapi"] == [""]


def test_connection_ids_look_like_api_gateways_and_differ() -> None:
    ids = {events.new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(one) == 16 and one.endswith("=") for one in ids)
