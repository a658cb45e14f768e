"""Requests that are held until an app has started."""

from collections.abc import Callable

import pytest

from chalicelib.configuration.app_settings import AppSettings
from chalicelib.instances import store
from chalicelib.instances.ceilings import store as ceilings
from chalicelib.instances.ceilings.model import HELD
from chalicelib.instances.model import Instance
from chalicelib.scheduler.seating import Scheduler
from chalicelib.visits.answer import Answer
from chalicelib.visits.holding import LONGEST, Holding

VERSION = "0123456789ab.20261120T133144Z-3f9a"
NOW = 1_800_000_000.0
SETTINGS = AppSettings(max_instances=3, start_count=1)
pytestmark = pytest.mark.usefixtures("dynamodb_calls")


class Waiting:
    """A clock that goes by as somebody waits, and what happens then."""

    def __init__(self) -> None:
        self.now = NOW
        self.then: list[tuple[float, Callable[[], object]]] = []

    def pause(self, seconds: float) -> None:
        self.now += seconds
        while self.then and self.then[0][0] <= self.now:
            self.then.pop(0)[1]()

    def holding(self, most: int = 3) -> Holding:
        def clock() -> float:
            return self.now

        return Holding(Scheduler(clock, most_instances=9), clock, most, clock, self.pause)


def row() -> Instance:
    [only] = store.of_version(VERSION)
    return only


def test_it_goes_on_as_soon_as_the_app_is_there() -> None:
    waiting = Waiting()
    waiting.then = [
        (NOW + 7, lambda: store.mark_ready(row().ref, "10.0.0.1:8080", "token", waiting.now))
    ]
    held = waiting.holding().ready(VERSION, "/hello", SETTINGS)
    assert not isinstance(held, Answer)
    assert (held[0].address, held[1]) == ("10.0.0.1:8080", 7.0)
    assert ceilings.holders(HELD) == {}
    assert store.seats_of(row()) == {}, "it has no seat"


def test_it_is_told_to_come_again_when_that_takes_too_long() -> None:
    waiting = Waiting()
    held = waiting.holding().ready(VERSION, "/hello", SETTINGS)
    assert isinstance(held, Answer)
    assert held.status == 503
    assert ("retry-after", "5") in held.headers
    assert waiting.now == NOW + LONGEST
    assert ceilings.holders(HELD) == {}


def test_as_many_are_held_as_may_and_they_start_one_instance() -> None:
    answers: list[Answer] = []
    outer = Waiting()

    def another() -> None:
        answer = outer.holding(2).ready(VERSION, "/hello", SETTINGS)
        assert isinstance(answer, Answer)
        answers.append(answer)

    ceilings.enter(HELD, "other", 2, NOW + 20)
    outer.then = [(NOW + 1, another)]
    outer.holding(2).ready(VERSION, "/hello", SETTINGS)
    assert b"as many requests wait as may" in answers[0].body
    assert len(store.of_version(VERSION)) == 1


def test_the_place_of_one_whose_lambda_ended_is_free_when_its_time_is_over() -> None:
    ceilings.enter(HELD, "lost", 1, NOW - 1)
    waiting = Waiting()
    waiting.then = [
        (NOW + 1, lambda: store.mark_ready(row().ref, "10.0.0.1:8080", "token", waiting.now))
    ]
    assert not isinstance(waiting.holding(1).ready(VERSION, "/hello", SETTINGS), Answer)


def test_a_start_that_fails_ends_the_waiting_and_is_not_begun_again_and_again() -> None:
    waiting = Waiting()
    failure = {"error": "AppStartFailed", "cause": "no"}
    waiting.then = [(NOW + 3, lambda: store.mark_stopped(row().ref, failure, waiting.now))]
    first = row_id = None
    for _ in range(3):
        held = waiting.holding().ready(VERSION, "/hello", SETTINGS)
        assert isinstance(held, Answer)
        assert b"did not start" in held.body
        row_id = row().instance_id
        first = first or row_id
    assert row_id == first
    assert waiting.now == NOW + 3


def test_a_slot_that_becomes_free_meanwhile_is_claimed() -> None:
    one = AppSettings()
    claimed = store.claim(VERSION, 0, app="/hello", capacity=9, now=NOW)
    assert claimed is not None
    store.mark_ready(claimed.ref, "10.0.0.1:8080", "token", NOW)
    assert store.drain(claimed.ref, NOW)
    waiting = Waiting()
    waiting.then = [
        (NOW + 2, lambda: store.mark_stopped(claimed.ref, None, waiting.now)),
        (NOW + 9, lambda: store.mark_ready(row().ref, "10.0.0.2:8080", "token", waiting.now)),
    ]
    held = waiting.holding().ready(VERSION, "/hello", one)
    assert not isinstance(held, Answer)
    assert held[0].address == "10.0.0.2:8080"
