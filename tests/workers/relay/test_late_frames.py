"""Frames of a connection that has been replaced still come, in any order (FACTS W4)."""

from __future__ import annotations

import pytest

from relay.events import Ended, MessageReceived, State, TicketDue
from relay.session import Session
from tests.workers.relay.talking import drain, greet, opened


def moved() -> Session:
    """A session that said "a" to "d", of which the client knows two, on its second connection."""
    session = opened()
    for text in "abcd":
        session.send("0", text, 0.0)
    drain(session, "c1")
    assert session.receive("c2", greet(2, resume=True, following=2), 1.0) == [TicketDue()]
    assert drain(session, "c2", 1.0) == ["o", 'a["CONTINUE 1","2#0|m|c","3#0|m|d"]']
    return session


def test_a_late_message_is_taken_in_its_turn_and_once() -> None:
    session = moved()
    assert session.receive("c1", '["2#0|m|second"]', 1.1) == []
    events = session.receive("c1", '["1#0|m|first","ACK 0"]', 1.2)
    assert [event.text for event in events if isinstance(event, MessageReceived)] == [
        "first",
        "second",
    ]
    assert session.receive("c2", '["1#0|m|first","2#0|m|second"]', 1.3) == []
    assert drain(session, "c2", 3.0) == ['a["ACK 3"]']


@pytest.mark.parametrize(
    "frame",
    [
        '["CONTINUE 0"]',
        '["CONTINUE 2"]',
        '["ACK 0"]',
        '["SHEEN {\\"ping\\":\\"0\\"}"]',
        '["SHEEN {\\"ping\\":\\"2\\"}"]',
        "[]",
    ],
)
def test_what_it_asked_for_is_out_of_date(frame: str) -> None:
    session = moved()
    assert session.receive("c1", frame, 60.0) == []
    assert not session.due(2.0)
    assert drain(session, "c2", 2.0) == []
    assert session.connection == "c2"


def test_its_hello_once_more_changes_nothing() -> None:
    session = moved()
    for hello in (greet(), greet(1, following=1), greet(2, resume=True, following=2)):
        assert session.receive("c1", hello, 1.1) == []
    assert session.receive("c2", greet(2, resume=True, following=2), 1.1) == []
    assert (
        session.connection == "c2"
        and drain(session, "c2", 1.1) == []
        and drain(session, "c1", 1.1) == []
    )


def test_its_end_is_not_the_newer_ones() -> None:
    session = moved()
    assert session.detach("c1", 1.1) == []
    assert session.connection == "c2" and session.state is State.CONNECTED
    assert [type(event) for event in session.receive("c1", '["1#0|m|late"]', 1.2)] == [
        MessageReceived
    ]


def test_frames_of_a_refused_connection_are_nobodys() -> None:
    session = moved()
    session.receive("c9", greet(robust_id="B"), 1.0)
    assert drain(session, "c9", 1.0)[0].startswith("c[4705,")
    session.detach("c9", 1.1)
    for frame in ('["1#0|m|foreign"]', "garbage", greet(3, resume=True)):
        assert session.receive("c9", frame, 1.2) == []
    assert session.state is State.CONNECTED and session.connection == "c2"


def test_garbage_on_the_replaced_connection_still_ends_the_session() -> None:
    assert [type(event) for event in moved().receive("c1", "garbage", 1.1)] == [Ended]


def test_frames_after_a_hello_that_came_too_late_are_those_of_a_replaced_connection() -> None:
    session = opened()
    session.receive("c2", '["1#0|m|overtook its hello"]', 1.0)
    session.receive("c3", greet(3, resume=True), 1.0)
    session.receive("c2", greet(2, resume=True), 1.0)
    assert session.connection == "c3"
    assert [type(event) for event in session.receive("c2", '["1#0|m|after it"]', 1.0)] == [
        MessageReceived
    ]


def test_a_continue_from_before_what_was_acknowledged_since_sends_nothing_again() -> None:
    session = moved()
    assert session.receive("c2", '["ACK 3"]', 1.1) == []
    assert session.receive("c2", '["CONTINUE 2"]', 1.2) == []
    assert drain(session, "c2", 1.2) == []
    assert session.receive("c2", '["CONTINUE 3"]', 1.3) == []
    assert drain(session, "c2", 1.3) == ['a["3#0|m|d"]']


def test_a_double_tells_that_the_acknowledgement_was_lost() -> None:
    session = moved()
    session.receive("c2", '["1#0|m|first"]', 2.0)
    assert drain(session, "c2", 3.0) == ['a["ACK 2"]']
    assert session.receive("c2", '["1#0|m|first"]', 10.0) == []
    assert drain(session, "c2", 10.5) == []
    assert drain(session, "c2", 11.0) == ['a["ACK 2"]']
