"""What Lambda and agent say to each other has its names in one module."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.agents import protocol
from chalicelib.agents.protocol import Bind, Refusal, Watch

ROOT = Path(__file__).parents[3]
ENDS = [
    *(f"chalice_app/chalicelib/{room}" for room in ("visits", "agents", "sessions", "lives")),
    "workers/agent",
]
NAMED = {
    value
    for name, value in vars(protocol).items()
    if name.isupper() and isinstance(value, str) and value not in (protocol.APP, protocol.STATUS)
}
"""Without names that other paths begin or end with, too: of an app, and below ``/proc``."""
COPIES = {("workers/agent/health.py", protocol.HEALTH)}


def test_both_ends_use_the_names_only() -> None:
    found = {
        (str(path.relative_to(ROOT)), node.value)
        for end in ENDS
        for path in (ROOT / end).rglob("*.py")
        if path != Path(protocol.__file__)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in NAMED
    }
    assert found - COPIES == set()


@given(st.text(min_size=1), st.integers(0))
def test_the_body_of_watch_arrives_as_it_was_sent(token: str, order: int) -> None:
    assert Watch.parse(Watch(token, order).encoded()) == Watch(token, order)


@given(st.text())
def test_the_body_of_bind_arrives_as_it_was_sent(instance: str) -> None:
    assert Bind.parse(Bind(instance).encoded()) == Bind(instance)


def test_a_function_that_is_older_than_the_agent_sends_no_order() -> None:
    assert Watch.parse(b'{"token": "t"}') == Watch("t", 0)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"token": ""}', b'{"token": 1}'])
def test_other_bodies_are_told_what_they_must_be(body: bytes) -> None:
    with pytest.raises(ValueError, match=r'must be \{"token"'):
        Watch.parse(body)
    with pytest.raises(ValueError, match=r'must be \{"instance"'):
        Bind.parse(body)


@pytest.mark.parametrize("refusal", Refusal)
def test_a_refusal_is_told_from_an_apps_answer_with_the_same_status(refusal: Refusal) -> None:
    headers = [("Content-Type", "text/plain"), ("Sheen-Refused", refusal.text)]
    assert protocol.refused(headers) == refusal.text
    assert protocol.refused(headers[:1]) is None
    means_gone = refusal in (Refusal.OTHER_INSTANCE, Refusal.RETIRED, Refusal.WRONG_KEY)
    assert (refusal.status in protocol.GONE) is means_gone
