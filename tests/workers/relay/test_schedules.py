"""Rule 4: each message reaches the other side once and in order as long as the session lives."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.workers.relay.network import LIMITS, Network

SCHEDULES = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


@SCHEDULES
@given(seed=st.integers(0, 2**32), steps=st.integers(0, 500))
def test_no_schedule_loses_doubles_or_reorders_a_message(seed: int, steps: int) -> None:
    network = Network(Random(seed), LIMITS)
    network.play(steps, fatal=False)
    network.settle()
    assert network.peer.closed is None
    assert network.got_up == network.sent_up
    assert network.peer.received.get("0", []) == network.sent_down


@SCHEDULES
@given(seed=st.integers(0, 2**32), steps=st.integers(0, 500))
def test_a_session_that_ends_delivers_all_that_r_said_and_then_says_why(
    seed: int, steps: int
) -> None:
    network = Network(Random(seed), LIMITS)
    network.play(steps, fatal=True)
    network.settle()
    assert network.got_up == network.sent_up[: len(network.got_up)]
    received = network.peer.received.get("0", [])
    assert received == network.sent_down
    if network.ended is None:
        assert network.got_up == network.sent_up
    else:
        assert network.peer.closed is not None
        assert network.peer.closed.code == network.ended.code
        assert network.peer.closed.reason


@SCHEDULES
@given(seed=st.integers(0, 2**32), steps=st.integers(0, 300))
def test_a_short_grace_ends_sessions_with_a_reason_and_never_garbles(seed: int, steps: int) -> None:
    network = Network(Random(seed), replace(LIMITS, grace=1.0, farewell=3.0))
    network.play(steps, fatal=True)
    network.settle()
    received = network.peer.received.get("0", [])
    assert received == network.sent_down[: len(received)]
    assert network.got_up == network.sent_up[: len(network.got_up)]
    if network.ended is None:
        assert network.got_up == network.sent_up
        assert received == network.sent_down


@pytest.mark.parametrize("size", [100, 5_000, 40_000])
def test_messages_far_larger_than_a_frame_arrive_whole(size: int) -> None:
    network = Network(Random(size), replace(LIMITS, max_message=10**6), size=size)
    network.play(300, fatal=False)
    network.settle()
    assert network.got_up == network.sent_up
    assert network.peer.received.get("0", []) == network.sent_down
