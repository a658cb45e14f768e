"""Visitors of a full app, against real rows: who came first is served first, and nobody waits for
one who went away.
"""

from collections import Counter

import pytest

from chalicelib.configuration.app_settings import AppSettings
from chalicelib.instances import store
from chalicelib.instances.lease import new_session_id
from chalicelib.instances.model import Instance
from chalicelib.scheduler.queue import store as queue
from chalicelib.scheduler.queue.line import FIRST_LEASE, LEASE, MARK, MOST, RENEW_AFTER, TURN
from chalicelib.scheduler.queue.model import QueuePlace
from chalicelib.scheduler.seating import NoRoom, Outcome, Queued, Scheduler, Seated, Starting

VERSION = "0123456789ab.20261120T133144Z-3f9a"
SETTINGS = AppSettings(simple_scheduler=2)
pytestmark = pytest.mark.usefixtures("dynamodb_calls")


class House:
    """An app with two seats, a clock, and Lambda environments that remember."""

    def __init__(self, settings: AppSettings = SETTINGS) -> None:
        self.now = 1_800_000_000.0
        self.settings = settings
        self.environments = [Scheduler(lambda: self.now) for _ in range(3)]
        self.turn = 0
        first = self.visit()
        assert isinstance(first, Starting)
        self.ref = first.instance.ref
        store.mark_ready(self.ref, "10.0.0.1:8080", "token", self.now)
        self.inside = [self.enter(), self.enter()]

    def scheduler(self) -> Scheduler:
        self.turn += 1
        return self.environments[self.turn % 3]

    def visit(self, place: str | None = None, address: str = "") -> Outcome:
        self.session = new_session_id()
        self.now += 0.01
        return self.scheduler().seat(
            VERSION, "/hello", self.settings, self.session, place, address=address
        )

    def enter(self, place: str | None = None) -> str:
        assert isinstance(self.visit(place), Seated)
        store.renew(self.ref, {self.session: self.now + 9999})
        return self.session

    def queue(self) -> str:
        outcome = self.visit()
        assert isinstance(outcome, Queued)
        return outcome.place

    def may_enter(self, place: str) -> bool:
        return self.scheduler().standing(VERSION, self.settings, place) is None

    def leave(self) -> None:
        store.give_back(self.ref, self.inside.pop(0))


def test_who_came_first_is_served_first_and_nobody_who_comes_later_overtakes() -> None:
    house = House()
    places = [house.queue() for _ in range(4)]
    for nth, place in enumerate(places):
        assert not any(house.may_enter(other) for other in places[nth:])
        house.leave()
        assert isinstance(house.visit(), Queued), "a newcomer"
        assert [house.may_enter(other) for other in places[nth:]] == [True] + [False] * (
            len(places) - nth - 1
        )
        house.inside.append(house.enter(place))


def test_two_seats_let_two_in_and_not_the_third() -> None:
    house = House()
    first, second, third = house.queue(), house.queue(), house.queue()
    house.leave()
    house.leave()
    assert [house.may_enter(place) for place in (first, second, third)] == [True, True, False]
    house.enter(second)
    assert isinstance(house.visit(third), Queued)
    house.enter(first)


def test_a_place_that_nobody_keeps_gives_way() -> None:
    house = House()
    gone, there = house.queue(), house.queue()
    house.leave()
    for _ in range(3):
        house.now += 10
        house.may_enter(there)
    assert house.may_enter(there)
    assert house.may_enter(gone), "it is told to load again, and comes last"
    assert isinstance(house.visit(gone), Queued)
    house.enter(there)


def test_a_queue_that_everybody_left_keeps_nobody_out() -> None:
    house = House()
    house.queue()
    house.leave()
    house.now += LEASE + 1
    house.enter()
    assert isinstance(house.visit(), Queued)


def test_a_visitor_who_loads_the_page_again_keeps_the_place() -> None:
    house = House()
    first, second = house.queue(), house.queue()
    again = house.visit(first)
    assert isinstance(again, Queued)
    assert (again.place, again.standing.before) == (first, 0)
    assert len(queue.line(VERSION)) == 2
    assert isinstance(house.visit("00000000000000-invented"), Queued)
    assert house.may_enter("00000000000000-invented"), "a place that was never given is none"
    assert not house.may_enter(second)


def test_a_further_instance_is_for_the_first_in_line() -> None:
    house = House()
    first, second, third = house.queue(), house.queue(), house.queue()
    house.settings = AppSettings(simple_scheduler=2, max_instances=2)
    assert house.may_enter(third), "it would claim the further instance"
    assert isinstance(house.visit(first), Starting)
    assert [house.may_enter(place) for place in (first, second, third)] == [True, True, False]
    store.mark_ready(store.of_version(VERSION)[1].ref, "10.0.0.2:8080", "token", house.now)
    assert isinstance(house.visit(), Queued)
    assert isinstance(house.visit(second), Seated)
    assert isinstance(house.visit(first), Seated)


def test_it_costs_a_full_app_little_and_every_other_app_nothing(
    dynamodb_calls: Counter[str],
) -> None:
    house = House()
    place = house.queue()
    dynamodb_calls.clear()
    assert not house.may_enter(place)
    assert dynamodb_calls == {"Query": 2, "UpdateItem": 1}, "its first sign of life"
    dynamodb_calls.clear()
    assert not house.may_enter(place)
    assert dynamodb_calls == {"Query": 2}
    house.now += RENEW_AFTER + 1
    dynamodb_calls.clear()
    assert not house.may_enter(place)
    assert dynamodb_calls == {"Query": 2, "UpdateItem": 1}
    house.leave()
    house.inside.append(house.enter(place))
    house.leave()
    house.now += MARK + 1
    house.environments = [Scheduler(lambda: house.now)] * 3
    dynamodb_calls.clear()
    house.enter()
    assert dynamodb_calls == {"Query": 1, "UpdateItem": 2}, (
        "a look at its instances, its seat, and the lease that this test writes"
    )
    assert not list(QueuePlace.scan())


def test_a_place_behind_many_that_were_left_is_still_a_place() -> None:
    house = House()
    with QueuePlace.batch_write() as batch:
        for n in range(2 * MOST + 50):
            batch.save(QueuePlace(VERSION, f"{n:014d}-x", lease=house.now - 1, expires_at=0))
    place = house.queue()
    assert not house.may_enter(place)
    again = house.visit(place)
    assert isinstance(again, Queued)
    assert (again.place, again.standing.before) == (place, 0)


def test_a_place_whose_page_never_asks_gives_way_soon() -> None:
    house = House()
    gone = [house.queue() for _ in range(20)]
    there = house.queue()
    house.leave()
    assert not house.may_enter(there)
    house.now += FIRST_LEASE + 1
    assert house.may_enter(there), "a page that waits asks within seconds"
    assert house.may_enter(gone[0]), "it is told to load again, and comes last"


def test_who_does_not_go_in_when_it_is_their_turn_loses_it() -> None:
    house = House()
    idle, there = house.queue(), house.queue()
    for _ in range(4):
        house.now += 10
        assert not house.may_enter(idle)
        assert not house.may_enter(there)
    house.leave()
    assert house.may_enter(idle)
    assert not house.may_enter(there)
    for _ in range(int(TURN) // 5 + 1):
        house.now += 5
        house.may_enter(idle)
        last = house.may_enter(there)
    assert last
    house.enter(there)


def test_one_address_has_so_many_places_and_others_have_theirs() -> None:
    house = House(AppSettings(simple_scheduler=2, queue_per_address=3))
    bad = [house.visit(address="bad") for _ in range(5)]
    assert [type(outcome) for outcome in bad] == [Queued] * 3 + [NoRoom] * 2
    assert isinstance(house.visit(address="good"), Queued)
    assert isinstance(house.visit(), Queued), "an address that is not known has no limit"
    assert isinstance(bad[0], Queued)
    assert isinstance(house.visit(bad[0].place, "bad"), Queued), "a place that is had is kept"
    house.now += FIRST_LEASE + 1
    assert isinstance(house.visit(address="bad"), Queued)


def test_a_class_behind_one_address_queues_as_it_comes() -> None:
    house = House()
    assert {type(house.visit(address="school")) for _ in range(40)} == {Queued}


def test_a_queue_is_not_endless() -> None:
    house = House()
    for n in range(MOST):
        QueuePlace(VERSION, f"{n:014d}-x", lease=house.now + 9, expires_at=0).save()
    assert isinstance(house.visit(), NoRoom)
    assert len(list(Instance.scan())) == 1
