from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.emulator.gateway.media import is_binary
from infra.emulator.gateway.responses import (
    Base64Error,
    FunctionResponse,
    ProxyResponseError,
    parse_proxy_response,
    parse_websocket_response,
    rest_body,
    rest_headers,
)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b'"text"',
        b"[]",
        b"{",
        b'{"statusCode": "abc"}',
        b'{"statusCode": 101}',
        b'{"statusCode": 1000}',
        b'{"statusCode": true}',
        b'{"statusCode": null}',
        b'{"statusCode": 200, "body": {"a": 1}}',
        b'{"statusCode": 200, "body": 5}',
        b'{"statusCode": 200, "headers": {"a": 5}}',
        b'{"statusCode": 200, "headers": ["a"]}',
        b'{"statusCode": 200, "multiValueHeaders": {"a": "b"}}',
        b'{"statusCode": 200, "headers": {"a": "b\\r\\nSet-Cookie: evil=1"}}',
        b'{"statusCode": 200, "headers": {"a b": "c"}}',
        b'{"statusCode": 200, "cookies": ["a=1"]}',
        b'{"errorMessage": "x"}',
    ],
)
def test_what_is_no_proxy_response_is_refused(payload: bytes) -> None:
    with pytest.raises(ProxyResponseError):
        parse_proxy_response(payload)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded", "x"]
                ),
                inner,
            )
        ),
    )
)
def test_any_answer_of_a_function_is_either_understood_or_refused(answer: object) -> None:
    try:
        response = parse_proxy_response(json.dumps(answer).encode())
    except ProxyResponseError:
        return
    assert 200 <= response.status <= 599


def test_an_empty_answer_is_an_empty_page() -> None:
    assert parse_proxy_response(b"{}") == FunctionResponse(200)


def test_both_kinds_of_headers_are_merged_and_a_pair_in_both_comes_once() -> None:
    response = parse_proxy_response(
        json.dumps(
            {
                "statusCode": "201",
                "headers": {"x-a": "1", "set-cookie": "b=2", "flag": True},
                "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]},
            }
        ).encode()
    )
    assert response.status == 201
    assert response.headers == (
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
        ("x-a", "1"),
        ("flag", "true"),
    )


def test_headers_that_are_api_gateways_own_are_renamed_or_dropped() -> None:
    names = [
        "Server",
        "Date",
        "WWW-Authenticate",
        "Connection",
        "Content-Length",
        "Transfer-Encoding",
        "Host",
        "Via",
        "ETag",
    ]
    response = FunctionResponse(200, tuple((name, "v") for name in names))
    sent = dict(rest_headers(response, "r", "x", "t"))
    assert sent == {
        "x-amzn-Remapped-Server": "v",
        "x-amzn-Remapped-Date": "v",
        "x-amzn-Remapped-WWW-Authenticate": "v",
        "x-amzn-Remapped-Connection": "v",
        "x-amzn-Remapped-Content-Length": "v",
        "ETag": "v",
        "Content-Type": "application/json",
        "x-amzn-RequestId": "r",
        "x-amz-apigw-id": "x",
        "X-Amzn-Trace-Id": "t",
    }


@given(st.binary(max_size=100), st.none() | st.text(max_size=20))
def test_with_all_types_binary_base64_is_always_undone(body: bytes, accept: str | None) -> None:
    response = FunctionResponse(200, (), base64.b64encode(body).decode(), is_base64=True)
    assert rest_body(response, accept, ("*/*",)) == body


def test_without_a_matching_accept_the_client_gets_the_base64_text() -> None:
    response = FunctionResponse(200, (("Content-Type", "image/png"),), "AAA=", is_base64=True)
    assert rest_body(response, "image/webp,image/png", ("image/png",)) == b"AAA="
    assert rest_body(response, None, ("image/png",)) == b"AAA="
    assert rest_body(response, "image/png,*/*", ("image/*",)) == b"\x00\x00"


def test_base64_that_is_none_is_an_error_not_garbage() -> None:
    with pytest.raises(Base64Error):
        rest_body(FunctionResponse(200, (), "§§§", is_base64=True), None, ("*/*",))


@pytest.mark.parametrize(
    ("header", "types", "binary"),
    [
        ("image/png", ("image/png",), True),
        ("image/png; charset=x", ("image/*",), True),
        ("text/html", ("image/*",), False),
        ("*/*", ("image/*",), False),
        (None, ("image/*",), False),
        (None, ("*/*",), True),
        ("anything", (), False),
    ],
)
def test_media_types_match_as_configured(
    header: str | None, types: tuple[str, ...], binary: bool
) -> None:
    assert is_binary(header, types) is binary


@pytest.mark.parametrize(
    "payload", [b"null", b"{}", b'{"body": "x"}', b"nope", b'{"statusCode": "x"}']
)
def test_a_websocket_functions_answer_needs_a_status(payload: bytes) -> None:
    with pytest.raises(ProxyResponseError):
        parse_websocket_response(payload)


def test_a_websocket_functions_answer_may_have_headers() -> None:
    answer = parse_websocket_response(
        b'{"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "sheen"}}'
    )
    assert answer.header("sec-websocket-protocol") == "sheen"
