"""What stands between the agent and an app in Python."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

SOURCE = Path(__file__).resolve().parents[3] / "workers" / "python" / "sheen_relay.py"
TOKEN = "0a" * 32
WORKER = "20261120T000000Z-0000.0.2"


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sheen_relay", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def nothing(scope: object, receive: object, send: object) -> None:
    """An app that does nothing."""


RELAY = loaded().Relay(nothing, "secret", WORKER)


@pytest.mark.parametrize("action", ["upload", "download"])
def test_a_sessions_urls_get_the_process(action: str) -> None:
    url = f"session/{TOKEN}/{action}/some-name?w="
    html = f'<a href="{url}">'
    told = json.loads(RELAY.named(json.dumps({"values": {"link": url, "html": html}})))
    assert told["values"] == {"link": url + WORKER, "html": f'<a href="{url}{WORKER}">'}


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/?w=",
        f"session/{TOKEN}/upload/x?w=1",
        "session/short/upload/x?w=",
        "?w=",
    ],
)
def test_what_is_no_sessions_url_stays_as_it_is(url: str) -> None:
    text = json.dumps({"values": {"link": url}})
    assert RELAY.named(text) == text


@given(st.recursive(st.text() | st.just(f"session/{TOKEN}/download/x?w="), st.lists, max_leaves=5))
def test_whatever_is_said_stays_json(said: object) -> None:
    told = json.dumps(said)
    assert json.loads(RELAY.named(told).replace(WORKER, "")) == said


@pytest.mark.parametrize(("kind", "scheme"), [("http", "https"), ("websocket", "wss")])
def test_an_app_finds_the_visitor_where_asgi_has_it(kind: str, scheme: str) -> None:
    scope = {
        "type": kind,
        "headers": [
            (b"sheen-visitor", b"192.0.2.1 https example.com 443"),
            (b"host", b"example.com"),
        ],
    }
    located = loaded()._located(scope)
    assert (located["scheme"], located["client"], located["server"]) == (
        scheme,
        ("192.0.2.1", 0),
        ("example.com", 443),
    )
    assert located["headers"] == [(b"host", b"example.com")]


def test_without_word_of_the_visitor_a_request_stays_as_it_is() -> None:
    scope = {"type": "http", "headers": []}
    assert loaded()._located(scope) is scope
