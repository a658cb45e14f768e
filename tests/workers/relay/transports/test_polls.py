from __future__ import annotations

from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from relay.transports.polls import ANOTHER, GO_AWAY, INTERRUPTED, Polls

HEARTBEAT, DISCONNECT = 25.0, 5.0


def nothing() -> None:
    return None


def says(frame: str) -> Callable[[], str | None]:
    return lambda: frame


def test_the_greeting_comes_first_also_before_a_close() -> None:
    polls = Polls(HEARTBEAT, DISCONNECT, 0.0)
    assert polls.begin(0.0) is None
    assert polls.next(says(GO_AWAY), 0.0) == "o"
    assert polls.next(says(GO_AWAY), 0.0) == GO_AWAY
    assert polls.begin(1.0) == GO_AWAY


def test_one_receiver_at_a_time() -> None:
    polls = Polls(HEARTBEAT, DISCONNECT, 0.0)
    assert polls.begin(0.0) is None
    assert polls.begin(1.0) == ANOTHER
    polls.finish(2.0)
    assert polls.begin(3.0) is None


def test_a_heartbeat_after_silence_and_not_before() -> None:
    polls = Polls(HEARTBEAT, DISCONNECT, 0.0)
    polls.begin(0.0)
    assert polls.next(nothing, 0.0) == "o"
    assert polls.next(nothing, 24.9) is None
    assert polls.heartbeat_in(24.0) == 1.0
    assert polls.next(nothing, 25.0) == "h"
    assert polls.next(nothing, 25.1) is None
    assert polls.next(says('a["x"]'), 50.0) == 'a["x"]'
    assert polls.next(nothing, 50.1) is None


def test_a_broken_receiver_ends_it_for_good() -> None:
    polls = Polls(HEARTBEAT, DISCONNECT, 0.0)
    polls.begin(0.0)
    polls.interrupt(1.0)
    assert polls.begin(2.0) == INTERRUPTED
    assert polls.deadline == 1.0 + DISCONNECT
    polls.close(GO_AWAY, 3.0)
    assert polls.begin(3.0) == INTERRUPTED


@settings(max_examples=60, stateful_step_count=30)
class AnySchedule(RuleBasedStateMachine):
    """Whatever comes: at most one receiver, a time out only without one, and one end."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.polls = Polls(HEARTBEAT, DISCONNECT, self.now)
        self.receiving = False
        self.end: str | None = None

    @rule(seconds=st.floats(0, 40))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def begin(self) -> None:
        refusal = self.polls.begin(self.now)
        assert refusal == (self.end or (ANOTHER if self.receiving else None))
        self.receiving = self.receiving or refusal is None

    @precondition(lambda self: self.receiving)
    @rule(frame=st.sampled_from([None, 'a["x"]', GO_AWAY]))
    def take(self, frame: str | None) -> None:
        got = self.polls.next(lambda: frame, self.now)
        assert got in ("o", "h", frame)
        if got == GO_AWAY:
            self.end, self.receiving = GO_AWAY, False

    @precondition(lambda self: self.receiving)
    @rule(well=st.booleans())
    def leave(self, well: bool) -> None:
        self.receiving = False
        if well:
            self.polls.finish(self.now)
        else:
            self.polls.interrupt(self.now)
            self.end = INTERRUPTED

    @invariant()
    def holds(self) -> None:
        assert self.polls.receiving == self.receiving
        assert self.polls.closing == self.end
        assert (self.polls.deadline is None) == self.receiving


TestAnySchedule = AnySchedule.TestCase
