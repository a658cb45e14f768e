"""Pages without a connection, while others queue."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.scheduler.crowd import SETTLED, CrowdLimits, OpenPage, giving_way

NOW = 1000.0
opened = st.lists(
    st.tuples(st.sampled_from(["", "a", "b", "c"]), st.floats(NOW - 60, NOW)), max_size=30
)
limits = st.builds(CrowdLimits, st.floats(5, 45), st.floats(0, 1), st.integers(0, 8))


def pages(many: list[tuple[str, float]]) -> list[OpenPage]:
    return [OpenPage(f"s{number}", address, at) for number, (address, at) in enumerate(many)]


@given(opened, st.integers(1, 30), limits)
def test_who_gives_way_and_who_does_not(
    many: list[tuple[str, float]], capacity: int, limits: CrowdLimits
) -> None:
    there = {page.session_id: page for page in pages(many)}
    gone = giving_way(there.values(), NOW, capacity, limits)
    assert len(set(gone)) == len(gone)
    assert all(NOW - there[session].opened_at >= SETTLED for session in gone), (
        "a browser needs a moment"
    )
    left = [page for session, page in there.items() if session not in gone]
    assert all(NOW - page.opened_at < limits.timeout for page in left)
    settled = [page for page in left if NOW - page.opened_at >= SETTLED]
    if settled:
        assert len(left) <= limits.share * capacity
        counts = Counter(page.address for page in left if page.address)
        assert not limits.per_address or all(
            counts[page.address] <= limits.per_address for page in settled if page.address
        )
    for address in {page.address for page in left}:
        newest_gone = max(
            (there[session].opened_at for session in gone if there[session].address == address),
            default=0.0,
        )
        assert all(page.opened_at >= newest_gone for page in left if page.address == address), (
            "the oldest of an address go first"
        )


@given(opened, st.integers(1, 30), limits)
def test_no_more_give_way_than_have_to(
    many: list[tuple[str, float]], capacity: int, limits: CrowdLimits
) -> None:
    there = {page.session_id: page for page in pages(many)}
    gone = giving_way(there.values(), NOW, capacity, limits)
    over = [session for session in gone if NOW - there[session].opened_at >= limits.timeout]
    beyond = len(there) - len(over) - limits.share * capacity
    by_limit = 0
    if limits.per_address:
        counts = Counter(
            page.address for session, page in there.items() if page.address and session not in over
        )
        by_limit = sum(max(0, count - limits.per_address) for count in counts.values())
    assert len(gone) - len(over) <= max(0, beyond + 1, by_limit + max(0, beyond + 1))
    if len(there) <= limits.share * capacity and not by_limit:
        assert gone == over


def test_a_class_behind_one_address_stays_while_it_connects() -> None:
    class_of_40 = pages([("school", NOW - 2)] * 40)
    assert giving_way(class_of_40, NOW, 100, CrowdLimits(15, 0.5, 50)) == []
    assert giving_way(class_of_40, NOW, 50, CrowdLimits(15, 0.5, 50)) == [], (
        "not even where it has more than its share: it has just come"
    )


def test_one_address_that_opens_and_never_connects_makes_room_before_others_do() -> None:
    crowd = pages(
        [("bad", NOW - 9 + number / 100) for number in range(60)] + [("good", NOW - 8)] * 3
    )
    gone = giving_way(crowd, NOW, 80, CrowdLimits(15, 0.5, 50))
    assert len(crowd) - len(gone) == 40
    assert all(crowd[int(session[1:])].address == "bad" for session in gone)
