"""Who may carry a session: every introduction has one outcome, and none harms another's session."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relay.errors import AppExited, ProtocolError, SessionTaken, UnknownSession
from relay.hello import Opening
from relay.judgement import ConnectionRefused, Ignored, SessionFacts, Taken, TooLate, judge

NUMBERS = st.integers(0, 5)
OPENINGS = st.builds(
    Opening,
    st.sampled_from([None, "A", "B"]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 4),
    NUMBERS,
    st.booleans(),
)


@st.composite
def sights(draw: st.DrawFn) -> SessionFacts:
    acknowledged = draw(NUMBERS)
    return SessionFacts(
        is_current=draw(st.booleans()),
        is_gone=draw(st.booleans()),
        first=draw(st.none() | OPENINGS),
        attempt=draw(st.integers(0, 4)),
        ending=draw(st.sampled_from([None, AppExited().ending])),
        acknowledged=acknowledged,
        following=acknowledged + draw(NUMBERS),
    )


@given(OPENINGS, sights())
def test_a_connection_that_is_gone_never_gets_the_session(
    opening: Opening, seen: SessionFacts
) -> None:
    assert judge(opening, seen._replace(is_gone=True)) == Ignored()


@given(OPENINGS, sights())
def test_only_the_client_that_has_the_session_gets_it_again(
    opening: Opening, seen: SessionFacts
) -> None:
    judgement = judge(opening, seen._replace(is_gone=False))
    stranger = seen.first is not None and (
        opening.robust_id is None or opening.robust_id != seen.first.robust_id
    )
    assert (judgement == ConnectionRefused(SessionTaken().ending)) is stranger or (
        # Its first page began without numbers that can be repeated.
        not opening.sheen and not opening.resume and seen.acknowledged > 0
    )


@given(OPENINGS, sights())
def test_what_goes_on_is_what_is_still_there(opening: Opening, seen: SessionFacts) -> None:
    judgement = judge(opening, seen)
    if isinstance(judgement, Taken) and seen.first is not None and judgement.send_from is not None:
        assert seen.acknowledged <= judgement.send_from <= seen.following


@given(OPENINGS, sights())
def test_only_the_sessions_own_client_can_end_it(opening: Opening, seen: SessionFacts) -> None:
    judgement = judge(opening, seen)
    if isinstance(judgement, ConnectionRefused) and judgement.ends_session:
        assert seen.first is not None
        assert opening.robust_id == seen.first.robust_id
        assert judgement.ending == ProtocolError().ending


@given(OPENINGS, sights())
def test_an_older_attempt_does_not_take_the_session_from_a_newer_one(
    opening: Opening, seen: SessionFacts
) -> None:
    ours = seen.first is not None and opening.robust_id == seen.first.robust_id is not None
    if ours and opening.sheen and opening.attempt < seen.attempt:
        assert isinstance(judge(opening, seen), TooLate | Ignored)


@given(OPENINGS, sights())
def test_a_session_begins_unless_it_is_over_or_the_client_believes_in_an_earlier_one(
    opening: Opening, seen: SessionFacts
) -> None:
    judgement = judge(opening, seen._replace(is_gone=False, first=None))
    if seen.ending is not None:
        assert judgement == ConnectionRefused(seen.ending)
    elif opening.resume:
        assert judgement == ConnectionRefused(UnknownSession().ending)
    else:
        assert judgement == Taken(0)


@given(OPENINGS, sights())
def test_another_client_that_resumes_says_itself_where_to_go_on(
    opening: Opening, seen: SessionFacts
) -> None:
    ours = seen.first is not None and opening.robust_id == seen.first.robust_id is not None
    if ours and opening.resume and not opening.sheen and not seen.is_gone:
        assert judge(opening, seen) == Taken(None)
