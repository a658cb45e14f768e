"""Giving seats to many at once, against real rows."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.apps.settings import AppSettings
from chalicelib.instances import store
from chalicelib.instances.model import Instance
from chalicelib.scheduler.seating import NoRoom, Outcome, Scheduler, Seated, Starting
from chalicelib.sessions.lease import new_session_id

VERSION = "0123456789ab.20261120T133144Z-3f9a"
NOW = 1_800_000_000.0
pytestmark = pytest.mark.usefixtures("dynamodb_calls")


def visit(scheduler: Scheduler, settings: AppSettings) -> Outcome:
    return scheduler.seat(VERSION, "/hello", settings, new_session_id())


def test_many_first_visitors_claim_one_instance() -> None:
    def one(_: int) -> Outcome:
        return visit(Scheduler(lambda: NOW), AppSettings(max_instances=3))

    with ThreadPoolExecutor(30) as pool:
        outcomes = list(pool.map(one, range(30)))
    assert all(isinstance(outcome, Starting) for outcome in outcomes)
    assert len([outcome for outcome in outcomes if isinstance(outcome, Starting) and outcome.claimed]) == 1
    assert len(list(Instance.scan())) == 1


def test_a_warm_page_costs_one_call(dynamodb_calls: Counter[str]) -> None:
    scheduler = Scheduler(lambda: NOW)
    settings = AppSettings()
    first = visit(scheduler, settings)
    assert isinstance(first, Starting)
    store.mark_ready(first.instance.ref, "10.0.0.1:8080", "token", NOW)
    assert isinstance(visit(scheduler, settings), Seated)
    dynamodb_calls.clear()
    assert isinstance(visit(scheduler, settings), Seated)
    assert dynamodb_calls == {"UpdateItem": 1}


def test_a_full_app_has_no_room_until_somebody_leaves_whatever_is_remembered() -> None:
    scheduler, other = Scheduler(lambda: NOW), Scheduler(lambda: NOW)
    settings = AppSettings(simple_scheduler=2)
    first = visit(scheduler, settings)
    assert isinstance(first, Starting)
    ref = first.instance.ref
    store.mark_ready(ref, "10.0.0.1:8080", "token", NOW)
    seated = [visit(scheduler, settings), visit(other, settings)]
    assert all(isinstance(outcome, Seated) for outcome in seated)
    assert isinstance(visit(scheduler, settings), NoRoom)
    row = store.get(ref)
    assert row is not None
    store.give_back(ref, next(iter(store.seats_of(row))))
    assert isinstance(visit(scheduler, settings), Seated)


def test_an_instance_that_stopped_is_not_remembered_against_the_rows() -> None:
    scheduler = Scheduler(lambda: NOW)
    first = visit(scheduler, AppSettings())
    assert isinstance(first, Starting)
    store.mark_ready(first.instance.ref, "10.0.0.1:8080", "token", NOW)
    visit(scheduler, AppSettings())
    store.mark_stopped(first.instance.ref, None, NOW)
    again = visit(scheduler, AppSettings())
    assert isinstance(again, Starting)
    assert again.claimed
    assert again.instance.instance_id != first.instance.instance_id
