"""The reaper and a new visitor come at the same moment: one of them gets the instance, and the
other knows it.

Each time their calls to the table come in another order. ``SHEEN_RACES`` says how often.
"""

import os
import random
from collections import Counter
from functools import partial

import pytest

from chalicelib.configuration.app_settings import AppSettings
from chalicelib.instances import store
from chalicelib.instances.model import Instance, InstanceRef
from chalicelib.scheduler.seating import Scheduler, Seated, Starting
from tests.chalicelib.direct_dynamodb import direct_dynamodb
from tests.chalicelib.interleaving import Interleaving
from tests.support.effort import amount

VERSION = "0123456789ab.20261120T133144Z-3f9a"
NOW = 1_800_000_000.0
TIMES = int(os.environ.get("SHEEN_RACES") or amount(10_000))
SEATS: tuple[dict[str, float], ...] = (
    {},
    {"gone": NOW - 1},
    {"gone": NOW - 1, "left": NOW},
    {"there": NOW + 9},
)
"""Nobody was here; one or, up to the last seat, two who left without a word; somebody is here."""
pytestmark = pytest.mark.usefixtures("dynamodb_calls")


def ready(seats: dict[str, float]) -> Instance:
    row = Instance(
        VERSION, 0, instance_id="0011223344556677", app="/hello", state="READY", phase="app", secret="00", seats=seats, capacity=2,  # noqa: E501
        size="small", address="10.0.0.1:8080", claimed_at=NOW, ready_at=NOW,
    )  # fmt: skip
    row.save()
    return row


def visit(scheduler: Scheduler) -> str:
    outcome = scheduler.seat(VERSION, "/hello", AppSettings(simple_scheduler=2), "visitor")
    assert isinstance(outcome, Seated | Starting)
    return type(outcome).__name__


def test_either_the_reaper_or_the_visitor_gets_the_instance() -> None:
    orders = random.Random(4)
    interleaving = Interleaving()
    came_to: Counter[tuple[bool, str]] = Counter()
    ref = InstanceRef(VERSION, 0, "0011223344556677")
    with direct_dynamodb(interleaving.before):
        for turn in range(TIMES):
            seats = SEATS[turn % len(SEATS)]
            row = ready(seats)
            scheduler = Scheduler(lambda: NOW)
            if turn & 4:  # it looked before, and may take a seat without a look
                scheduler.known.learn(VERSION, row)
            order = [orders.randrange(2) for _ in range(8)]
            drained, outcome = interleaving.run(
                order, lambda: store.drain(ref, NOW), partial(visit, scheduler)
            )
            after = store.get(ref)
            assert after is not None
            told = (
                f"turn {turn}, order {order}, {seats}: drained {drained}, {outcome}, "
                f"{after.state} {store.seats_of(after)}"
            )
            assert (after.state == "DRAINING") == drained, told
            assert (outcome == "Seated") == ("visitor" in store.seats_of(after)) == (not drained), (
                told
            )
            assert not (drained and "there" in seats), told
            assert len(store.seats_of(after)) <= 2, told
            came_to[drained, outcome] += 1
    assert min(came_to[True, "Starting"], came_to[False, "Seated"]) > TIMES / 10, (
        "both must have won now and then"
    )
