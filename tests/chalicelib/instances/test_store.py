"""Instances' rows under races: what would go wrong if a step were not one conditional write."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.instances import store
from chalicelib.instances.errors import InstanceChanged
from chalicelib.instances.lease import Expired
from chalicelib.instances.model import Instance, InstanceRef
from chalicelib.instances.state import InstanceState, Phase

pytestmark = pytest.mark.usefixtures("dynamodb_calls")

VERSION = "0123456789ab.20261120T133144Z-3f9a"
NOW = 1_800_000_000.0


def claimed(capacity: int = 3, slot: int = 0) -> Instance:
    instance = store.claim(VERSION, slot, app="/hello", capacity=capacity, now=NOW)
    assert instance is not None
    return instance


def ready(capacity: int = 3) -> InstanceRef:
    ref = claimed(capacity).ref
    store.mark_ready(ref, "10.0.0.1:8080", "token", NOW)
    return ref


def together(count: int, task: Callable[[int], object]) -> list[object]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(task, range(count)))


def seats(ref: InstanceRef) -> dict[str, float]:
    row = store.get(ref)
    assert row is not None
    return store.seats_of(row)


def test_two_visitors_who_arrive_at_once_start_one_instance() -> None:
    won = together(50, lambda _: store.claim(VERSION, 0, app="/hello", capacity=1, now=NOW))
    assert len([claim for claim in won if claim is not None]) == 1


def test_a_stopped_slot_is_claimed_again_by_one_only() -> None:
    old = claimed()
    assert store.mark_stopped(old.ref, None, NOW)
    seen = store.in_slot(VERSION, 0)
    won = together(
        20, lambda _: store.claim(VERSION, 0, app="/hello", capacity=1, now=NOW, seen=seen)
    )
    assert len([claim for claim in won if claim is not None]) == 1
    assert store.get(old.ref) is None


def test_an_instance_is_not_claimed_away_when_it_became_ready_meanwhile() -> None:
    seen = claimed()
    store.mark_ready(seen.ref, "10.0.0.1:8080", "token", NOW)
    assert store.claim(VERSION, 0, app="/hello", capacity=1, now=NOW, seen=seen) is None


def test_seats_never_exceed_capacity() -> None:
    ref = ready(capacity=7)
    taken = together(40, lambda number: store.take_seat(ref, f"session{number}", NOW + 45))
    assert len([seat for seat in taken if seat is not None]) == 7
    assert len(seats(ref)) == 7


def test_a_seat_is_given_back_exactly_once() -> None:
    ref = ready()
    assert store.take_seat(ref, "session", NOW + 45)
    assert sum(bool(done) for done in together(20, lambda _: store.give_back(ref, "session"))) == 1
    assert seats(ref) == {}


def test_an_expired_seat_goes_to_one_visitor_only() -> None:
    ref = ready(capacity=1)
    assert store.take_seat(ref, "old", NOW - 1)
    expired = Expired("old", NOW - 1)
    taken = together(20, lambda number: store.take_seat(ref, f"new{number}", NOW + 45, expired))
    assert len([seat for seat in taken if seat is not None]) == 1
    assert len(seats(ref)) == 1


def test_an_instance_full_of_the_most_sessions_is_renewed(dynamodb_calls: Counter[str]) -> None:
    ref = ready(1000)
    leases = {f"{number:032x}": NOW + number for number in range(1000)}
    dynamodb_calls.clear()
    store.renew(ref, leases)
    assert dynamodb_calls == {"UpdateItem": 10}
    assert seats(ref) == leases


def test_a_renewed_seat_is_not_taken_for_expired() -> None:
    ref = ready(capacity=1)
    store.take_seat(ref, "old", NOW - 1)
    store.renew(ref, {"old": NOW + 180})
    assert store.take_seat(ref, "new", NOW + 45, Expired("old", NOW - 1)) is None
    assert seats(ref) == {"old": NOW + 180}


def test_no_seat_before_ready_nor_after_draining() -> None:
    instance = claimed()
    assert store.take_seat(instance.ref, "early", NOW + 45) is None
    store.mark_ready(instance.ref, "10.0.0.1:8080", "token", NOW)
    assert store.drain(instance.ref, NOW)
    assert store.take_seat(instance.ref, "late", NOW + 45) is None
    with pytest.raises(InstanceChanged):
        store.renew(instance.ref, {"late": NOW + 180})


def test_draining_never_happens_under_a_visitor() -> None:
    for number in range(5):
        ref = claimed(capacity=50, slot=number).ref
        store.mark_ready(ref, "10.0.0.1:8080", "token", NOW)

        def visit_or_drain(turn: int, ref: InstanceRef = ref) -> object:
            return (
                store.drain(ref, NOW)
                if turn % 4 == 3
                else store.take_seat(ref, f"session{turn}", NOW + 45)
            )

        outcomes = together(8, visit_or_drain)
        drained = any(outcome is True for outcome in outcomes)
        seated = any(isinstance(outcome, Instance) for outcome in outcomes)
        assert drained != seated
        row = store.get(ref)
        assert row is not None
        assert row.state == (InstanceState.DRAINING if drained else InstanceState.READY)


def test_an_instance_with_expired_seats_only_drains() -> None:
    ref = ready()
    store.take_seat(ref, "gone", NOW - 1)
    assert not store.drain(ref, NOW - 2)
    assert store.drain(ref, NOW)
    assert store.drain(ref, NOW), "a repeated step says the same"


def test_steps_of_an_older_instance_do_not_touch_a_newer_one() -> None:
    old = claimed().ref
    store.mark_stopped(old, {"error": "AppStartFailed", "cause": "no"}, NOW)
    new = store.claim(VERSION, 0, app="/hello", capacity=3, now=NOW, seen=store.in_slot(VERSION, 0))
    assert new is not None
    assert not store.mark_stopped(old, None, NOW)
    assert not store.mark_phase(old, Phase.APP)
    assert not store.drain(old, NOW)
    with pytest.raises(InstanceChanged):
        store.mark_ready(old, "10.0.0.9:8080", "token", NOW)
    row = store.get(new.ref)
    assert row is not None
    assert (row.state, row.failure) == (InstanceState.STARTING, None)


def test_the_first_reason_for_a_stop_stays() -> None:
    ref = ready()
    assert store.mark_stopped(ref, {"error": "TaskDied", "cause": "killed"}, NOW)
    assert not store.mark_stopped(ref, {"error": "States.HeartbeatTimeout", "cause": ""}, NOW)
    row = store.get(ref)
    assert row is not None
    assert row.failure == {"error": "TaskDied", "cause": "killed"}
    assert (row.token, row.address) == (None, None)


def test_a_second_token_of_a_ready_instance_keeps_when_it_became_ready() -> None:
    ref = ready()
    assert store.mark_ready(ref, "10.0.0.1:8080", "second", NOW + 100).token == "second"
    row = store.get(ref)
    assert row is not None
    assert row.ready_at == NOW


def test_each_step_is_one_call(dynamodb_calls: Counter[str]) -> None:
    ref = ready()
    dynamodb_calls.clear()
    store.take_seat(ref, "a", NOW + 45)
    store.renew(ref, {"a": NOW + 180})
    store.give_back(ref, "a")
    assert dynamodb_calls == {"UpdateItem": 3}
