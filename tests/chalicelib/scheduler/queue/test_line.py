"""Who comes before whom."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.scheduler.queue.line import (
    LEASE,
    alive,
    is_in,
    needs_renewal,
    new_place,
    next_poll,
    standing,
)

NOW = 1_800_000_000.0
lines = st.dictionaries(
    st.builds(lambda ms, end: f"{ms:014d}-{end:016x}", st.integers(0, 10**6), st.integers(0, 99)),
    st.sampled_from([NOW - 1, NOW, NOW + 1, NOW + LEASE]),
    max_size=12,
)


@given(lines)
def test_each_place_has_a_number_of_its_own_and_the_expired_have_none(
    line: dict[str, float],
) -> None:
    in_order = alive(line, NOW)
    assert [standing(line, place, NOW).before for place in in_order] == list(range(len(in_order)))
    for place in line.keys() - set(in_order):
        assert not is_in(line, place, NOW)
        assert standing(line, place, NOW).before == len(in_order), "who lost the place comes last"
    assert standing(line, None, NOW).before == len(in_order)


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=9))
def test_who_comes_later_stands_behind(times: list[float]) -> None:
    places = [new_place(NOW + time) for time in sorted(times)]
    line = dict.fromkeys(places, NOW + 2e6)
    for one, other in pairwise(places):
        assert one[:14] <= other[:14]
    assert {standing(line, place, NOW).before for place in places} == set(range(len(places)))


def test_a_poll_seldom_writes_and_a_hidden_page_keeps_its_place() -> None:
    assert not needs_renewal(NOW + LEASE - 10, NOW)
    assert needs_renewal(NOW + LEASE - 16, NOW)
    assert 60 + next_poll(500) < LEASE, "a browser wakes a hidden page once a minute"
