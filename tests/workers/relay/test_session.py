"""What a session does at its edges: openings, endings, limits."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import (
    AppExited,
    AppSilent,
    Ending,
    SessionClosed,
    TooMuch,
    UnknownSession,
    VisitorIdle,
)
from relay.events import (
    ChannelClosed,
    ChannelOpened,
    ConnectionSilent,
    Ended,
    Event,
    MessageReceived,
    State,
    TicketDue,
)
from relay.hello import Opening
from relay.session import Session
from relay.settings import RelaySettings
from tests.workers.relay.talking import drain, greet, opened


def test_frames_that_overtake_the_hello_wait_for_it() -> None:
    session = Session("s", RelaySettings(), 0.0)
    assert session.receive("c1", '["1#0|m|hi"]', 0.0) == []
    assert session.receive("c1", '["0#0|o|"]', 0.0) == []
    events = session.receive("c1", greet(), 0.0)
    assert events == [ChannelOpened("0", ""), MessageReceived("0", "hi", 66)]
    assert drain(session, "c1") == ["o"]


def test_messages_of_r_that_come_close_together_share_a_frame_with_the_acknowledgement() -> None:
    session = opened()
    session.send("0", '{"a":1}', 0.0)
    session.send("0", "b", 0.0)
    assert drain(session, "c1") == ['a["0#0|m|{\\"a\\":1}","1#0|m|b","ACK 1"]']


def test_resume_sends_continue_first_and_then_only_what_is_missing() -> None:
    session = opened()
    session.send("0", "x", 0.0)
    session.send("0", "y", 0.0)
    drain(session, "c1")
    assert session.detach("c1", 1.0) == []
    assert session.state is State.AWAY
    assert session.receive("c2", greet(2, resume=True, following=1), 2.0) == [TicketDue()]
    assert drain(session, "c2") == ["o", 'a["CONTINUE 1","1#0|m|y"]']


def test_shiny_servers_client_resumes_by_continue() -> None:
    session = Session("s", RelaySettings(), 0.0)
    session.attach("c1", Opening("R"), 0.0)
    session.receive("c1", '["0#0|o|"]', 0.0)
    session.send("0", "x", 0.0)
    assert drain(session, "c1") == ["o", 'a["0#0|m|x","ACK 1"]']
    session.detach("c1", 1.0)
    session.attach("c2", Opening("R", resume=True), 2.0)
    assert drain(session, "c2") == ["o", 'a["CONTINUE 1"]']
    session.receive("c2", '["CONTINUE 0"]', 2.0)
    assert drain(session, "c2") == ['a["0#0|m|x"]']


def test_a_client_without_numbers_gets_plain_channels_and_cannot_resume() -> None:
    session = Session("s", RelaySettings(), 0.0)
    session.attach("c1", Opening(None), 0.0)
    assert session.receive("c1", '["0|o|","0|m|hi"]', 0.0) == [
        ChannelOpened("0", ""),
        MessageReceived("0", "hi", 66),
    ]
    session.send("0", "x" * 200_000, 0.0)
    assert drain(session, "c1") == ["o", 'a["0|m|' + "x" * 200_000 + '"]']
    [ended] = session.detach("c1", 1.0)
    assert isinstance(ended, Ended)


def test_an_unused_reservation_ends_and_a_late_page_is_told() -> None:
    session = Session("s", RelaySettings(), 0.0)
    assert session.tick(44.9) == []
    assert [type(event) for event in session.tick(45.0)] == [Ended]
    session.receive("c1", greet(), 46.0)
    [frame] = drain(session, "c1", 46.0)
    assert frame.startswith("c[4705,")
    assert session.tick(200.0) == [] and session.state is State.FORGOTTEN


def test_resuming_what_never_was_is_refused_and_the_page_may_still_come() -> None:
    session = Session("s", RelaySettings(), 0.0)
    assert session.receive("c0", greet(2, resume=True), 0.0) == []
    assert drain(session, "c0") == [f'c[4705,"{UnknownSession.sentence}"]']
    session.receive("c1", greet(robust_id="B"), 0.0)
    assert session.state is State.CONNECTED


def test_a_second_tab_with_the_same_ticket_is_refused_and_the_first_unharmed() -> None:
    session = opened()
    session.receive("c2", greet(robust_id="OTHER"), 0.0)
    [frame] = drain(session, "c2")
    assert frame.startswith("c[4705,") and "another tab" in frame
    assert session.connection == "c1" and session.state is State.CONNECTED


def test_a_late_hello_of_an_old_connection_does_not_take_the_session_back() -> None:
    session = opened()
    session.receive("c3", greet(3, resume=True), 1.0)
    session.receive("c2", greet(2, resume=True), 1.0)
    assert session.connection == "c3"


def test_a_disconnect_that_overtakes_its_hello_wins() -> None:
    session = Session("s", RelaySettings(), 0.0)
    session.detach("c1", 0.0)
    session.receive("c1", greet(), 0.0)
    assert session.state is State.RESERVED


def test_nobody_comes_back_within_the_grace() -> None:
    session = opened()
    session.detach("c1", 10.0)
    assert session.tick(24.0) == []
    [ended] = session.tick(25.0)
    assert isinstance(ended, Ended) and ended.ending.code == 4705
    session.receive("c2", greet(2, resume=True), 30.0)
    frames = drain(session, "c2", 30.0)
    assert frames[0] == "o" and frames[-1].startswith("c[4705,") and "too long" in frames[-1]


def test_what_r_said_before_it_ended_still_arrives_also_on_the_next_connection() -> None:
    session = opened()
    session.send("0", "last words", 0.0)
    session.end(AppExited().ending, 0.0)
    session.detach("c1", 0.0)
    session.receive("c2", greet(2, resume=True), 1.0)
    assert drain(session, "c2", 1.0) == [
        "o",
        'a["CONTINUE 1","0#0|m|last words"]',
        f'c[4503,"{AppExited.sentence}"]',
    ]


def test_r_closing_its_socket_ends_the_session_with_words_for_the_visitor() -> None:
    session = opened()
    assert session.close_channel("0", 1000, "", 0.0) == [Ended(SessionClosed().ending)]
    frames = drain(session, "c1")
    assert json.loads(frames[0][1:])[0] == '0#0|c|{"code": 1000, "reason": ""}'
    assert frames[1] == f'c[4508,"{SessionClosed.sentence}"]'


def test_the_page_closing_its_only_channel_ends_the_session() -> None:
    session = opened()
    events = session.receive("c1", '["1#0|c|{\\"code\\":1001}"]', 0.0)
    assert events == [ChannelClosed("0", 1001, ""), Ended(SessionClosed().ending)]


@pytest.mark.parametrize(
    "frame", ["garbage", "[1]", '["x"]', '["1#nope"]', '["ACK 5"]', '["FFFF#0|m|"]']
)
def test_garbage_ends_the_session_with_4704(frame: str) -> None:
    session = opened()
    events = session.receive("c1", frame, 0.0)
    assert [type(event) for event in events] == [Ended]
    assert drain(session, "c1")[-1].startswith("c[4704,")


def test_r_is_not_read_while_the_browser_does_not_read() -> None:
    session = opened()
    sent = 0
    while session.writable:
        session.send("0", "x" * 10_000, 0.0)
        sent += 1
    assert sent <= RelaySettings().high_water // 10_000 + 1
    drain(session, "c1")
    assert not session.writable
    session.receive("c1", f'["ACK {sent:X}"]', 0.0)
    assert session.writable


def test_more_than_may_wait_for_the_browser_ends_the_session() -> None:
    session = opened(replace(RelaySettings(), high_water=1000, max_message=1000))
    events: list[Event] = []
    while not events:
        events = session.send("0", "x" * 900, 0.0)
    assert events == [Ended(Ending(4710, events[0].ending.reason))]  # type: ignore[union-attr]


def test_the_client_is_not_acknowledged_while_r_does_not_read() -> None:
    settings = replace(RelaySettings(), high_water=1000)
    session = opened(settings)
    drain(session, "c1", 2.0)
    [event] = session.receive("c1", '["1#0|m|' + "x" * 2000 + '"]', 2.0)
    assert isinstance(event, MessageReceived)
    assert drain(session, "c1", 5.0) == []
    session.consumed(event.size)
    assert session.due(5.0)
    assert drain(session, "c1", 5.0) == ['a["ACK 2"]']


def test_a_gap_that_stays_open_is_asked_for() -> None:
    session = opened()
    drain(session, "c1", 2.0)
    session.receive("c1", '["2#0|m|late"]', 10.0)
    session.tick(12.0)
    assert not session.due(12.0)
    session.tick(13.5)
    assert drain(session, "c1", 13.5) == ['a["CONTINUE 1"]']
    assert len(session.receive("c1", '["1#0|m|first"]', 13.6)) == 2


def test_a_ping_is_answered_and_shows_what_was_lost_at_the_end() -> None:
    session = opened()
    session.send("0", "x", 0.0)
    drain(session, "c1")
    session.receive("c1", '["SHEEN {\\"ping\\":\\"0\\"}"]', 1.0)
    assert drain(session, "c1", 1.0) == ['a["SHEEN {\\"pong\\":\\"1\\"}"]']
    session.receive("c1", '["SHEEN {\\"ping\\":\\"0\\"}"]', 20.0)
    assert drain(session, "c1", 20.0) == ['a["SHEEN {\\"pong\\":\\"1\\"}","0#0|m|x"]']


def test_a_silent_connection_is_probed_and_tickets_are_renewed() -> None:
    session = opened()
    drain(session, "c1", 2.0)
    assert session.due(130.0) and drain(session, "c1", 130.0) == ["h"]
    assert session.tick(300.0) == [TicketDue()] and session.tick(300.5) == []
    session.renew("T", 301.0)
    assert drain(session, "c1", 301.0) == ['a["SHEEN {\\"ticket\\":\\"T\\"}"]']


def test_a_client_that_does_not_wait_for_acknowledgements_is_stopped() -> None:
    session = opened()
    for number in range(1, 100):
        if session.receive("c1", f'["{number:X}#0|m|' + "x" * 30_000 + '"]', 0.0)[-1:] == [
            Ended(TooMuch().ending)
        ]:
            break
    assert number * 30_000 <= RelaySettings().unacknowledged_limit + 60_000
    assert drain(session, "c1")[-1] == f'c[4512,"{TooMuch.sentence}"]'


def test_parts_on_many_channels_are_together_no_larger_than_one_message() -> None:
    session = opened(replace(RelaySettings(), max_message=100_000))
    number = 0
    for channel in range(1, 30):
        for payload in (f"{channel}|o|", f"{channel}|p|" + "x" * 20_000):
            number += 1
            session.receive("c1", f'["{number:X}#{payload}"]', 0.0)
            drain(session, "c1")
    assert session.waiting < 130_000
    assert session.ending is not None and session.ending.code == 4711


def test_a_client_that_is_too_fast_is_stopped_and_one_at_the_limit_is_not() -> None:
    settings = replace(RelaySettings(), frame_rate=10, frame_burst=20)
    session = opened(settings)
    for tenth in range(300):
        assert session.receive("c1", "[]", 10 + tenth / 10) == []
    ended = [event for _ in range(30) for event in session.receive("c1", "[]", 40.0)]
    assert ended == [Ended(TooMuch().ending)]


def test_a_flood_over_a_connection_that_has_not_introduced_itself_hurts_no_other() -> None:
    session = opened(replace(RelaySettings(), reorder_bytes=10_000))
    for number in range(1000):
        assert session.receive(f"x{number % 100}", "y" * 100, number / 100) == []
    assert session.state is State.CONNECTED and session.waiting <= 10_000 + 200


def test_a_doubled_continue_of_shiny_servers_client_asks_for_nothing() -> None:
    session = Session("s", RelaySettings(), 0.0)
    session.attach("c1", Opening("R"), 0.0)
    session.receive("c1", '["0#0|o|"]', 0.0)
    session.attach("c2", Opening("R", resume=True), 2.0)
    session.send("0", "x", 2.0)
    session.receive("c2", '["CONTINUE 0"]', 2.0)
    assert drain(session, "c2")[1:] == ['a["CONTINUE 1","0#0|m|x"]'] or drain(session, "c2") == []
    session.receive("c2", '["ACK 1"]', 2.0)
    assert session.receive("c2", '["CONTINUE 0"]', 2.1) == []
    assert session.state is State.CONNECTED


def test_a_visitor_who_does_nothing_loses_the_session_whatever_r_says_and_the_page_signals() -> (
    None
):
    session = opened(RelaySettings(session_timeout=100))
    session.receive("c1", '["1#0|m|input"]', 50.0)
    session.send("0", "tick", 149.0)
    session.receive("c1", '["SHEEN {\\"ping\\":\\"0\\"}"]', 149.0)
    assert session.tick(149.9) == []
    assert session.tick(150.0) == [Ended(VisitorIdle().ending)]
    assert "c[4510," in drain(session, "c1", 150.0)[-1]


def test_an_r_that_says_nothing_loses_the_session_whatever_the_visitor_does() -> None:
    session = opened(RelaySettings(read_timeout=100))
    session.send("0", "x", 50.0)
    session.receive("c1", '["1#0|m|input"]', 149.0)
    assert session.tick(149.9) == []
    assert session.tick(150.0) == [Ended(AppSilent().ending)]


def test_a_connection_without_a_sign_of_life_is_given_up_and_the_session_resumes_on_the_next() -> (
    None
):
    session = opened(RelaySettings(connection_timeout=90))
    session.receive("c1", '["SHEEN {\\"ping\\":\\"0\\"}"]', 60.0)
    session.send("0", "x", 100.0)
    assert TicketDue() not in session.tick(149.9)
    assert session.tick(150.0) == [ConnectionSilent("c1")]
    assert session.state is State.AWAY
    session.receive("c2", greet(2, resume=True), 151.0)
    assert session.state is State.CONNECTED
    assert "0#0|m|x" in "".join(drain(session, "c2", 151.0))


def test_a_connection_that_polls_needs_no_other_sign_of_life() -> None:
    session = Session("s", RelaySettings(connection_timeout=90), 0.0)
    session.attach("c1", Opening("A", False, True, 1, 0), 0.0)
    assert session.tick(100.0) == []
    assert session.state is State.CONNECTED


def test_no_limit_of_silence_holds_unless_it_is_set() -> None:
    session = opened()
    assert not [
        event
        for now in range(0, 10**6, 10**4)
        for event in session.tick(float(now))
        if event != TicketDue()
    ]
    assert session.state is State.CONNECTED


@given(
    st.floats(1, 1000),
    st.floats(1, 1000),
    st.lists(
        st.tuples(st.sampled_from(["visitor", "r", "tick"]), st.floats(0.1, 400)), max_size=30
    ),
)
def test_a_session_ends_exactly_when_one_side_was_silent_for_its_limit(
    visitor: float, r: float, course: list[tuple[str, float]]
) -> None:
    session = opened(RelaySettings(session_timeout=visitor, read_timeout=r))
    now, said = 0.0, {"visitor": 0.0, "r": 0.0}
    number = 1
    for who, later in course:
        now += later
        late = now - said["visitor"] >= visitor or now - said["r"] >= r
        ended = [event for event in session.tick(now) if isinstance(event, Ended)]
        assert bool(ended) == late
        if ended:
            assert ended[0].ending.code == (4510 if now - said["visitor"] >= visitor else 4511)
            return
        if who == "visitor":
            session.receive("c1", f'["{number:X}#0|m|x"]', now)
            number += 1
        elif who == "r":
            session.send("0", "x", now)
        said[who] = now
