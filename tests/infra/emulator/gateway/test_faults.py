from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.emulator.faults import FaultRates, Faults, MessageFate, PostFate, RequestFate, draw

ORDINALS = st.integers(1, 100_000)


def everything(faults: Faults, connection: int, event: int) -> list[object]:
    return [
        faults.message(connection, event),
        faults.outgoing(connection, event),
        faults.post(connection, event),
        faults.request(event),
        faults.disconnect(connection),
    ]


@given(ORDINALS, ORDINALS)
def test_nothing_ever_happens_while_faults_are_off(connection: int, event: int) -> None:
    faults = Faults()
    assert not faults.on
    assert everything(faults, connection, event) == [
        MessageFate(),
        None,
        PostFate(),
        RequestFate(),
        0.0,
    ]


@given(st.integers(0, 2**32), st.lists(st.tuples(ORDINALS, ORDINALS), min_size=1, max_size=20))
def test_the_same_seed_decides_the_same_in_whatever_order_it_is_asked(
    seed: int, events: list[tuple[int, int]]
) -> None:
    rates = FaultRates(
        seed,
        reorder=0.5,
        double=0.5,
        delay=0.5,
        cut=0.2,
        drop_disconnect=0.3,
        delay_disconnect=0.5,
        post_504=0.3,
    )
    forward, backward = Faults(rates), Faults(rates)
    first = {event: everything(forward, *event) for event in events}
    assert {event: everything(backward, *event) for event in reversed(events)} == first


@given(st.integers(0, 2**32), ORDINALS, ORDINALS)
def test_a_draw_is_a_share(seed: int, connection: int, event: int) -> None:
    assert 0 <= draw(seed, "cut", connection, event) < 1


def test_faults_come_as_often_as_asked_and_independently_of_each_other() -> None:
    faults = Faults(FaultRates(7, double=0.25, reorder=0.5, cut=0.1))
    fates = [
        faults.message(connection, event) for connection in range(1, 41) for event in range(1, 101)
    ]
    assert sum(fate.cut for fate in fates) / len(fates) == pytest.approx(0.1, abs=0.02)
    arrived = [fate for fate in fates if not fate.cut]
    assert sum(len(fate.starts) == 2 for fate in arrived) / len(arrived) == pytest.approx(
        0.25, abs=0.03
    )
    assert sum(fate.starts[0] > 0 for fate in arrived) / len(arrived) == pytest.approx(
        0.5, abs=0.03
    )
    both = sum(len(fate.starts) == 2 and fate.starts[0] > 0 for fate in arrived)
    assert both / len(arrived) == pytest.approx(0.125, abs=0.03)
    cuts = [faults.outgoing(1, event) for event in range(1, 5001)]
    places = [place for place in cuts if place is not None]
    assert min(places) < 0.05
    assert max(places) > 0.95, "a cut may fall anywhere in a message"


def test_a_504_to_a_post_leaves_open_whether_it_was_delivered() -> None:
    faults = Faults(FaultRates(1, post_504=1.0))
    fates = {faults.post(1, event) for event in range(1, 100)}
    assert fates == {PostFate(0.0, 504, delivered=True), PostFate(0.0, 504, delivered=False)}


def test_configure_replaces_all_settings_and_counts_connections_anew() -> None:
    faults = Faults(FaultRates(3, cut=1.0))
    assert faults.next_connection() == 1
    assert faults.next_connection() == 2
    shown = faults.configure({"seed": 4, "double": 1})
    assert faults.on
    assert faults.rates == FaultRates(4, double=1)
    assert faults.next_connection() == 1
    assert json.loads(json.dumps(shown))["cut"] == 0.0
    faults.configure({})
    assert not faults.on


def test_a_seed_or_a_span_alone_switches_nothing_on() -> None:
    faults = Faults()
    faults.configure({"seed": 9, "spread": 1.0, "disconnect_spread": 2})
    assert not faults.on


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"duble": 0.1}, "unknown setting 'duble'; known are seed, reorder, double"),
        ({"double": 1.5}, "double = 1.5: a share, must be from 0 to 1"),
        ({"double": -0.1}, "from 0 to 1"),
        ({"cut": "often"}, "cut = 'often': not a number"),
        ({"cut": True}, "not a number"),
        ({"cut": float("nan")}, "not a number"),
        ({"spread": 601}, "from 0 to 600 seconds"),
        ({"seed": 1.5}, "whole number"),
    ],
)
def test_unusable_settings_are_refused_by_name_and_change_nothing(
    settings: dict[str, object], said: str
) -> None:
    faults = Faults(FaultRates(double=0.5))
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        faults.configure({"reorder": 0.5, **settings})
    assert faults.rates == FaultRates(double=0.5)
