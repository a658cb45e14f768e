"""The scheduler's decision, for any state that the rows can be in."""

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.instances.lease import Expired, live
from chalicelib.instances.state import START_LIMIT, InstanceState
from chalicelib.scheduler.decision import (
    AFTER_FAILURE,
    Candidate,
    Claim,
    InstanceLimits,
    Seat,
    VersionFull,
    WaitForSlot,
    ahead,
    decide,
    sleeps,
)

NOW = 10_000.0

leases = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3),
    st.sampled_from([NOW - 50, NOW, NOW + 1, NOW + 45]),
    max_size=6,
)


@st.composite
def slots(draw: st.DrawFn) -> list[Candidate]:
    used = draw(st.sets(st.integers(0, 5), max_size=6))
    return [
        Candidate(
            slot,
            f"id{slot}",
            draw(st.sampled_from(list(InstanceState))),
            draw(leases),
            draw(st.integers(1, 5)),
            draw(st.sampled_from([NOW - 2 * START_LIMIT, NOW - 5, NOW])),
            draw(st.sampled_from([None, None, None, NOW - 5, NOW - 2 * AFTER_FAILURE])),
        )
        for slot in sorted(used)
    ]


limits = st.builds(InstanceLimits, st.integers(1, 6), st.integers(1, 7), st.floats(0, 1))


def free(places: list[Candidate], max_instances: int) -> int:
    ready = [
        place
        for place in places
        if place.state == InstanceState.READY and place.slot < max_instances
    ]
    return sum(max(0, place.capacity - len(live(place.seats, NOW))) for place in ready)


@given(slots(), limits, st.integers(0, 8))
def test_a_decision_can_always_be_carried_out(
    places: list[Candidate], limits: InstanceLimits, before: int
) -> None:
    max_instances = limits.max_instances
    by_slot = {place.slot: place for place in places}
    match decide(places, NOW, limits, before):
        case Seat(slot, instead_of):
            place = by_slot[slot]
            assert before < free(places, max_instances), "those who come first have seats too"
            assert place.state == InstanceState.READY
            assert slot < max_instances
            assert len(live(place.seats, NOW)) < place.capacity
            if instead_of is None:
                assert len(place.seats) < place.capacity
            else:
                assert place.seats[instead_of.session_id] == instead_of.lease <= NOW
            rooms = [p for p in places if p.state == InstanceState.READY and p.slot < max_instances]
            assert all(
                len(live(place.seats, NOW)) <= len(live(p.seats, NOW))
                for p in rooms
                if len(live(p.seats, NOW)) < p.capacity
            )
        case Claim(slot, seen):
            assert slot < max_instances
            assert seen == (by_slot[slot].instance_id if slot in by_slot else None)
            if slot in by_slot:
                place = by_slot[slot]
                assert place.state == InstanceState.STOPPED or (
                    place.state == InstanceState.STARTING and place.claimed_at < NOW - START_LIMIT
                )
        case WaitForSlot(slot):
            assert by_slot[slot].state in (InstanceState.STARTING, InstanceState.DRAINING)
            assert slot < max_instances
        case VersionFull():
            usable = [place for place in places if place.slot < max_instances]
            assert len(usable) == max_instances
            assert all(
                place.state in (InstanceState.READY, InstanceState.STARTING) for place in usable
            )
            starting = sum(
                place.capacity for place in usable if place.state == InstanceState.STARTING
            )
            assert free(places, max_instances) + starting <= before


@given(slots(), limits)
def test_what_is_claimed_ahead_is_within_the_limits(
    places: list[Candidate], limits: InstanceLimits
) -> None:
    claims = ahead(places, NOW, limits)
    by_slot = {place.slot: place for place in places}
    living = [
        place
        for place in places
        if place.slot < limits.max_instances
        and (
            place.state == InstanceState.READY
            or (place.state == InstanceState.STARTING and place.claimed_at >= NOW - START_LIMIT)
        )
    ]
    assert len({claim.slot for claim in claims}) == len(claims)
    assert all(
        claim.slot < limits.max_instances and by_slot.get(claim.slot) not in living
        for claim in claims
    )
    assert all(
        claim.seen == (by_slot[claim.slot].instance_id if claim.slot in by_slot else None)
        for claim in claims
    )
    if any(place.state == InstanceState.READY for place in living):
        taken = sum(len(live(place.seats, NOW)) for place in living)
        seats = sum(place.capacity for place in living)
        assert len(claims) <= (taken > limits.load_factor * seats), (
            "one at a time, and only above the load factor"
        )
    else:
        assert len(living) + len(claims) <= max(limits.start_count, len(living))


@given(st.integers(1, 6), st.integers(1, 5), st.floats(0, 1))
def test_as_visitors_come_there_are_never_more_instances_than_the_load_asks_for(
    most: int, capacity: int, load: float
) -> None:
    """Visitors come one by one, and each instance is ready as soon as it is claimed."""
    limits = InstanceLimits(most, 1, load)
    places = [Candidate(0, "id0", InstanceState.READY, {}, capacity, NOW)]
    for visitor in range(most * capacity):
        match decide(places, NOW, limits):
            case Seat(slot, None):
                places[slot] = places[slot]._replace(
                    seats={**places[slot].seats, f"v{visitor}": NOW + 9}
                )
            case Claim(slot, None):
                places.append(
                    Candidate(
                        slot,
                        f"id{slot}",
                        InstanceState.READY,
                        {f"v{visitor}": NOW + 9},
                        capacity,
                        NOW,
                    )
                )
            case other:
                raise AssertionError(f"visitor {visitor} of {most * capacity} gets {other}")
        places += [
            Candidate(claim.slot, f"id{claim.slot}", InstanceState.READY, {}, capacity, NOW)
            for claim in ahead(places, NOW, limits)
        ]
        taken = visitor + 1
        assert len(places) <= 1 + taken, "one visitor starts one instance at most"
        assert (
            len(places) == 1
            or taken > load * capacity * (len(places) - 1)
            or taken > capacity * (len(places) - 1)
        )
    assert decide(places, NOW, limits) == VersionFull(most * capacity)


def place(
    slot: int, state: InstanceState, seats: int = 0, lease: float = NOW + 9, claimed_at: float = NOW
) -> Candidate:
    return Candidate(
        slot, f"id{slot}", state, {f"s{n}": lease for n in range(seats)}, 2, claimed_at
    )


def test_the_first_visitor_claims_the_first_slot() -> None:
    assert decide([], NOW, InstanceLimits(1)) == Claim(0, None)


def test_the_second_visitor_waits_for_the_first_ones_instance() -> None:
    assert decide([place(0, InstanceState.STARTING)], NOW, InstanceLimits(4)) == WaitForSlot(0)


def test_fewest_sessions_first() -> None:
    assert decide(
        [place(0, InstanceState.READY, 1), place(1, InstanceState.READY)], NOW, InstanceLimits(2)
    ) == Seat(1, None)


def test_one_that_proved_gone_is_tried_again_only_when_there_is_no_other() -> None:
    gone, other = place(0, InstanceState.READY), place(1, InstanceState.READY, 1)
    assert decide([gone, other], NOW, InstanceLimits(2), gone={"id0"}) == Seat(1, None)
    assert decide([gone], NOW, InstanceLimits(2), gone={"id0"}) == Claim(1, None)
    assert decide([gone], NOW, InstanceLimits(1), gone={"id0"}) == Seat(0, None)


def test_a_full_app_starts_another_instance_while_it_may() -> None:
    full = [place(0, InstanceState.READY, 2)]
    assert decide(full, NOW, InstanceLimits(2)) == Claim(1, None)
    assert decide(full, NOW, InstanceLimits(1)) == VersionFull(2)


def test_a_full_row_with_an_expired_lease_has_room() -> None:
    assert decide([place(0, InstanceState.READY, 2, lease=NOW)], NOW, InstanceLimits(1)) == Seat(
        0, Expired("s0", NOW)
    )


def test_a_start_that_nobody_follows_is_claimed_again() -> None:
    assert decide(
        [place(0, InstanceState.STARTING, claimed_at=NOW - START_LIMIT - 1)], NOW, InstanceLimits(1)
    ) == Claim(0, "id0")


def test_a_draining_instance_is_waited_for_only_when_there_is_no_other_slot() -> None:
    draining = [place(0, InstanceState.DRAINING)]
    assert decide(draining, NOW, InstanceLimits(1)) == WaitForSlot(0)
    assert decide(draining, NOW, InstanceLimits(2)) == Claim(1, None)


def test_the_first_visit_starts_as_many_as_the_app_wants() -> None:
    limits = InstanceLimits(max_instances=4, start_count=3)
    assert ahead([place(0, InstanceState.STARTING)], NOW, limits) == (
        Claim(1, None),
        Claim(2, None),
    )
    assert ahead([place(n, InstanceState.STARTING) for n in range(3)], NOW, limits) == ()
    assert (
        ahead([place(0, InstanceState.READY), place(1, InstanceState.STARTING)], NOW, limits) == ()
    )


def test_the_visit_that_wakes_an_app_by_a_spare_starts_as_many_as_the_app_wants() -> None:
    limits = InstanceLimits(max_instances=4, start_count=3)
    spare = [place(0, InstanceState.READY, 1)]
    assert ahead(spare, NOW, limits, woken=True) == (Claim(1, None), Claim(2, None))
    assert ahead(spare, NOW, limits) == ()
    assert ahead([], NOW, limits, woken=True) == ()
    assert sleeps([place(0, InstanceState.STOPPED), place(1, InstanceState.DRAINING)], NOW)
    assert not sleeps(spare, NOW)
    assert not sleeps([place(0, InstanceState.STARTING)], NOW)
    assert sleeps([place(0, InstanceState.STARTING, claimed_at=NOW - START_LIMIT - 1)], NOW)


def test_a_further_instance_comes_before_the_seats_run_out() -> None:
    limits = InstanceLimits(max_instances=3, load_factor=0.5)
    assert ahead([place(0, InstanceState.READY, 1)], NOW, limits) == ()
    assert ahead([place(0, InstanceState.READY, 2)], NOW, limits) == (Claim(1, None),)
    assert (
        ahead([place(0, InstanceState.READY, 2), place(1, InstanceState.STARTING)], NOW, limits)
        == ()
    )


def test_a_broken_app_is_not_started_over_and_over_by_its_visitors_load() -> None:
    limits = InstanceLimits(max_instances=3, load_factor=0.5)
    failed = place(1, InstanceState.STOPPED)._replace(failed_at=NOW - 5)
    assert ahead([place(0, InstanceState.READY, 2), failed], NOW, limits) == ()
    assert ahead(
        [place(0, InstanceState.READY, 2), failed._replace(failed_at=NOW - AFTER_FAILURE)],
        NOW,
        limits,
    ) == (Claim(1, "id1"),)


def test_who_comes_first_has_the_seat() -> None:
    one_free = [place(0, InstanceState.READY, 1)]
    assert decide(one_free, NOW, InstanceLimits(1), before=0) == Seat(0, None)
    assert decide(one_free, NOW, InstanceLimits(1), before=1) == VersionFull(2)
    assert decide(one_free, NOW, InstanceLimits(2), before=1) == Claim(1, None)
