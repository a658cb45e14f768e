"""No input to a parser raises anything but the named protocol error."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay import chunks, hello, multiplex, robust, sockjs
from relay.errors import MessageTooBig, ProtocolError
from relay.hello import Opening
from relay.session import Session
from relay.settings import RelaySettings

ANY_TEXT = st.text(st.characters(exclude_categories=())) | st.text(
    '[]{}",:\\0123456789ABCDEFabco|#mpc '
)
JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4)
    ),
    max_leaves=12,
).map(json.dumps)
LIKELY = st.sampled_from(
    [
        '{"sheen":1,"id":"A","resume":false,"attempt":1,"next":"0"}',
        '{"sheen":true,"id":"A","resume":false,"attempt":1,"next":"0"}',
        '["0#0|o|"]',
        '["1#0|m|x"]',
        '["2#0|p|x","3#0|m|y"]',
        '["4#0|c|{}"]',
        '["0#0|c|[1]"]',
        '["FFFFFFFFFFFF#0|m|"]',
        '["ACK 1"]',
        '["CONTINUE 0"]',
        '["CONTINUE 7"]',
        '["SHEEN {\\"ping\\":\\"0\\"}"]',
        '["0#0|m|\\ud800"]',
        "[" * 100_000,
        '["' + "9" * 5000 + '#"]',
        "[" + "9" * 5000 + "]",
        "[]",
        "",
    ]
)
FRAMES = ANY_TEXT | JSONISH | LIKELY | st.lists(ANY_TEXT, max_size=3).map(json.dumps)


@pytest.mark.parametrize(
    "parser",
    [
        sockjs.decode_client,
        sockjs.decode_server,
        robust.parse,
        robust.parse_number,
        multiplex.parse,
        hello.parse_hello,
        hello.parse_control,
    ],
)
@given(text=FRAMES | FRAMES.map(lambda text: "0|c|" + text) | FRAMES.map(lambda text: "c" + text))
def test_a_parser_raises_only_protocol_errors(parser: Callable[[str], object], text: str) -> None:
    with suppress(ProtocolError):
        parser(text)


@settings(deadline=None)
@given(
    frames=st.lists(
        st.tuples(
            st.sampled_from("ab"),
            FRAMES
            | st.builds(
                hello.hello,
                st.builds(Opening, st.just("A"), st.booleans(), st.just(True), st.just(1)),
            ),
        ),
        max_size=20,
    )
)
def test_no_sequence_of_frames_breaks_a_session(frames: list[tuple[str, str]]) -> None:
    session = Session("s", RelaySettings(), 0.0)
    for now, (connection, frame) in enumerate(frames):
        session.receive(connection, frame, float(now))
        for name in "ab":
            while (out := session.take(name, 1 << 17, float(now))) is not None:
                sockjs.decode_server(out)
        session.tick(float(now))


@given(text=ANY_TEXT)
def test_a_message_survives_sockjs(text: str) -> None:
    frame = sockjs.array([sockjs.escape(text)])
    frame.encode()
    assert sockjs.decode_server(frame) == sockjs.MessagesFrame([sockjs.whole(text)])
    assert sockjs.decode_client(frame[1:]) == [sockjs.whole(text)]


@given(messages=st.lists(ANY_TEXT))
def test_a_clients_frame_survives(messages: list[str]) -> None:
    assert sockjs.decode_client(sockjs.encode_client(messages)) == [
        sockjs.whole(message) for message in messages
    ]


def test_a_split_surrogate_pair_becomes_one_character() -> None:
    assert sockjs.decode_client('["\\ud83d\\ude00 \\ud83d"]') == ["😀 \ufffd"]


def test_line_separators_and_specials_travel_escaped() -> None:
    assert (
        sockjs.array([sockjs.escape("\u2028\uffff\u200c\x00")])
        == 'a["\\u2028\\uffff\\u200c\\u0000"]'
    )


@given(text=st.text(), limit=st.integers(12, 60))
def test_parts_fit_and_make_the_message_again(text: str, limit: int) -> None:
    pieces = chunks.split(text, limit)
    assert all(sockjs.size(piece) <= limit for piece in pieces)
    assembly = chunks.Assembly(1 << 20)
    *parts, last = [json.loads(f'"{piece}"') for piece in pieces]
    for part in parts:
        assembly.part(part)
    assert assembly.last(last) == text
    assert assembly.bytes == 0


def test_tiny_parts_do_not_slip_under_the_limit() -> None:
    assembly = chunks.Assembly(10_000)
    with pytest.raises(MessageTooBig):
        for _ in range(1000):
            assembly.part("")
    with pytest.raises(MessageTooBig):
        chunks.Assembly(10).last("x" * 11)


def test_hello_says_what_it_was_given() -> None:
    opening = Opening("Zx9", True, True, 3, 0x1F)
    assert hello.hello(opening) == '{"sheen":1,"id":"Zx9","resume":true,"attempt":3,"next":"1F"}'
    assert hello.parse_hello(hello.hello(opening)) == opening
