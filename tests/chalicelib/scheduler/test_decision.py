"""The scheduler's decision, for any state that the rows can be in."""

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.instances.state import START_LIMIT, InstanceState
from chalicelib.scheduler.decision import Claim, Full, Place, Seat, Wait, decide
from chalicelib.sessions.lease import Expired, live

NOW = 10_000.0

leases = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.sampled_from([NOW - 50, NOW, NOW + 1, NOW + 45]), max_size=6)


@st.composite
def slots(draw: st.DrawFn) -> list[Place]:
    used = draw(st.sets(st.integers(0, 5), max_size=6))
    return [
        Place(
            slot,
            f"id{slot}",
            draw(st.sampled_from(list(InstanceState))),
            draw(leases),
            draw(st.integers(1, 5)),
            draw(st.sampled_from([NOW - 2 * START_LIMIT, NOW - 5, NOW])),
        )
        for slot in sorted(used)
    ]


@given(slots(), st.integers(1, 6))
def test_a_decision_can_always_be_carried_out(places: list[Place], max_instances: int) -> None:
    by_slot = {place.slot: place for place in places}
    match decide(places, NOW, max_instances):
        case Seat(slot, instead_of):
            place = by_slot[slot]
            assert place.state == InstanceState.READY
            assert slot < max_instances
            assert len(live(place.seats, NOW)) < place.capacity
            if instead_of is None:
                assert len(place.seats) < place.capacity
            else:
                assert place.seats[instead_of.session_id] == instead_of.lease <= NOW
            rooms = [p for p in places if p.state == InstanceState.READY and p.slot < max_instances]
            assert all(len(live(place.seats, NOW)) <= len(live(p.seats, NOW)) for p in rooms if len(live(p.seats, NOW)) < p.capacity)
        case Claim(slot, seen):
            assert slot < max_instances
            assert seen == (by_slot[slot].instance_id if slot in by_slot else None)
            if slot in by_slot:
                place = by_slot[slot]
                assert place.state == InstanceState.STOPPED or (
                    place.state == InstanceState.STARTING and place.claimed_at < NOW - START_LIMIT
                )
        case Wait(slot):
            assert by_slot[slot].state in (InstanceState.STARTING, InstanceState.DRAINING)
            assert slot < max_instances
        case Full():
            usable = [place for place in places if place.slot < max_instances]
            assert len(usable) == max_instances
            assert all(place.state == InstanceState.READY for place in usable)
            assert all(len(live(place.seats, NOW)) >= place.capacity for place in usable)


def place(slot: int, state: InstanceState, seats: int = 0, lease: float = NOW + 9, claimed_at: float = NOW) -> Place:
    return Place(slot, f"id{slot}", state, {f"s{n}": lease for n in range(seats)}, 2, claimed_at)


def test_the_first_visitor_claims_the_first_slot() -> None:
    assert decide([], NOW, 1) == Claim(0, None)


def test_the_second_visitor_waits_for_the_first_ones_instance() -> None:
    assert decide([place(0, InstanceState.STARTING)], NOW, 4) == Wait(0)


def test_fewest_sessions_first() -> None:
    assert decide([place(0, InstanceState.READY, 1), place(1, InstanceState.READY)], NOW, 2) == Seat(1, None)


def test_a_full_app_starts_another_instance_while_it_may() -> None:
    full = [place(0, InstanceState.READY, 2)]
    assert decide(full, NOW, 2) == Claim(1, None)
    assert decide(full, NOW, 1) == Full(2)


def test_a_full_row_with_an_expired_lease_has_room() -> None:
    assert decide([place(0, InstanceState.READY, 2, lease=NOW)], NOW, 1) == Seat(0, Expired("s0", NOW))


def test_a_start_that_nobody_follows_is_claimed_again() -> None:
    assert decide([place(0, InstanceState.STARTING, claimed_at=NOW - START_LIMIT - 1)], NOW, 1) == Claim(0, "id0")


def test_a_draining_instance_is_waited_for_only_when_there_is_no_other_slot() -> None:
    draining = [place(0, InstanceState.DRAINING)]
    assert decide(draining, NOW, 1) == Wait(0)
    assert decide(draining, NOW, 2) == Claim(1, None)
