"""The course of an errand, whatever happens in whatever order."""

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errands.course import (
    DOER_DIED,
    MOST_ATTEMPTS,
    NOT_BEGUN,
    TOO_LATE,
    UNKNOWN,
    Do,
    ErrandFacts,
    Fail,
    Leave,
    Manner,
    WaitForDoer,
    expiry,
    next_step,
)
from chalicelib.errands.model import ErrandState

TIMES = st.floats(0, 1000)
STATES = st.sampled_from(ErrandState)
SEEN = st.builds(ErrandFacts, STATES, TIMES, st.integers(0, MOST_ATTEMPTS), TIMES)
MANNERS = st.builds(Manner, st.floats(1, 60), st.booleans())


@given(SEEN, st.none() | MANNERS, TIMES)
def test_an_errand_that_has_ended_is_left_alone(
    seen: ErrandFacts, manner: Manner | None, now: float
) -> None:
    assert isinstance(next_step(seen, manner, now), Leave) == seen.ended
    assert expiry(seen._replace(state=ErrandState.DONE), now) is None


@given(SEEN, MANNERS, TIMES)
def test_one_is_only_done_in_time_by_nobody_else_and_not_over_and_over(
    seen: ErrandFacts, manner: Manner, now: float
) -> None:
    step = next_step(seen, manner, now)
    if isinstance(step, Do):
        assert now < seen.deadline
        assert seen.state is ErrandState.ASKED or seen.held_until <= now
        assert seen.state is ErrandState.ASKED or manner.repeatable
        assert step == (seen.attempt + 1, now + manner.seconds)
        assert seen.state is ErrandState.ASKED or step.attempt <= MOST_ATTEMPTS
    if isinstance(step, WaitForDoer):
        assert seen.state is ErrandState.DOING
        assert now < min(seen.held_until, seen.deadline)


@given(SEEN, st.none() | MANNERS, TIMES)
def test_after_its_deadline_it_ends_whoever_looks(
    seen: ErrandFacts, manner: Manner | None, now: float
) -> None:
    late = expiry(seen, now)
    assert (late is not None) == (not seen.ended and now >= seen.deadline)
    if late is not None:
        why = NOT_BEGUN if seen.state is ErrandState.ASKED else TOO_LATE
        assert late == Fail(why)
        assert next_step(seen, manner, now) == Fail(UNKNOWN if manner is None else why)


HEARD = st.lists(st.tuples(st.floats(0, 40), st.sampled_from(["dies", "answers", "gives up"])))


@given(MANNERS, HEARD, st.floats(1, 200))
def test_whoever_dies_when_it_ends_and_never_hangs(
    manner: Manner, heard: list[tuple[float, str]], deadline: float
) -> None:
    """Records come at any time, and each doer that takes one dies, answers or gives up."""
    seen, now, done = ErrandFacts(ErrandState.ASKED, deadline), 0.0, 0
    for after, then in heard:
        now += after
        step = next_step(seen, manner, now)
        if isinstance(step, Fail):
            seen = seen._replace(state=ErrandState.FAILED)
        elif isinstance(step, Do):
            done += 1
            seen = ErrandFacts(ErrandState.DOING, deadline, step.attempt, step.held_until)
            if then == "answers":
                seen = seen._replace(state=ErrandState.DONE)
            elif then == "gives up" and manner.repeatable:
                seen = seen._replace(held_until=0.0)
    assert done <= (MOST_ATTEMPTS if manner.repeatable else 1)
    assert seen.ended or isinstance(next_step(seen, manner, max(now, deadline)), Fail)


def test_a_dead_doers_errand_is_done_again_only_if_that_does_no_harm() -> None:
    seen = ErrandFacts(ErrandState.DOING, 100.0, 1, 20.0)
    assert next_step(seen, Manner(10.0, repeatable=True), 19.9) == WaitForDoer()
    assert next_step(seen, Manner(10.0, repeatable=True), 20.0) == Do(2, 30.0)
    assert next_step(seen, Manner(10.0, repeatable=False), 20.0) == Fail(DOER_DIED)
