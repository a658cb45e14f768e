"""Giving seats to many at once, against real rows."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.configuration.app_settings import AppSettings
from chalicelib.instances import store
from chalicelib.instances.lease import new_session_id
from chalicelib.instances.model import Instance
from chalicelib.scheduler.seating import Outcome, Queued, Scheduler, Seated, Starting

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
    assert (
        len([outcome for outcome in outcomes if isinstance(outcome, Starting) and outcome.claimed])
        == 1
    )
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
    full = visit(scheduler, settings)
    assert isinstance(full, Queued)
    row = store.get(ref)
    assert row is not None
    store.give_back(ref, next(iter(store.seats_of(row))))
    assert isinstance(
        scheduler.seat(VERSION, "/hello", settings, new_session_id(), full.place), Seated
    )


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


def test_the_first_visit_claims_start_count_instances_of_the_apps_size() -> None:
    settings = AppSettings(max_instances=5, start_count=3, size="xlarge")
    outcome = visit(Scheduler(lambda: NOW), settings)
    assert isinstance(outcome, Starting)
    assert [(int(row.slot), row.state, row.size) for row in store.of_version(VERSION)] == [
        (n, "STARTING", "xlarge") for n in range(3)
    ]
    visit(Scheduler(lambda: NOW), settings)
    assert len(store.of_version(VERSION)) == 3


def test_only_the_visitor_who_crosses_the_load_factor_pays_for_it(
    dynamodb_calls: Counter[str],
) -> None:
    now = [NOW]
    scheduler = Scheduler(lambda: now[0])
    settings = AppSettings(simple_scheduler=4, max_instances=3, instance_load_factor=0.5)

    def cost() -> int:
        dynamodb_calls.clear()
        assert isinstance(visit(scheduler, settings), Seated)
        return dynamodb_calls.total()

    first = visit(scheduler, settings)
    assert isinstance(first, Starting)
    store.mark_ready(first.instance.ref, "10.0.0.1:8080", "token", NOW)
    now[0] += 6.0
    assert cost() <= 2
    assert cost() == 1
    assert cost() == 3, "a seat, a look and a claim"
    assert [row.state for row in store.of_version(VERSION)] == ["READY", "STARTING"]
    assert cost() == 1
    now[0] += 6.0
    store.mark_ready(store.of_version(VERSION)[1].ref, "10.0.0.2:8080", "token", now[0])
    assert cost() == 3, (
        "a look, since one was starting; a seat; the fifth of 8 seats makes a third "
        "instance necessary"
    )


def test_many_who_cross_the_load_factor_at_once_claim_one_instance() -> None:
    settings = AppSettings(simple_scheduler=30, max_instances=9, instance_load_factor=0.5)
    first = visit(Scheduler(lambda: NOW), settings)
    assert isinstance(first, Starting)
    store.mark_ready(first.instance.ref, "10.0.0.1:8080", "token", NOW)
    with ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(lambda _: visit(Scheduler(lambda: NOW), settings), range(20)))
    assert all(isinstance(outcome, Seated) for outcome in outcomes)
    assert [row.state for row in store.of_version(VERSION)] == ["READY", "STARTING"]
