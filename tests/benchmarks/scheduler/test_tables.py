"""The simulation's tables do what the real stores do, condition by condition."""

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.scheduler.tables import Bill, Instances, Queues
from chalicelib.instances import store
from chalicelib.instances.errors import InstanceChanged
from chalicelib.instances.lease import longest_expired
from chalicelib.instances.model import InstanceRef
from chalicelib.scheduler.queue import store as queue
from tests.chalicelib.aws_in_process import aws_in_process, empty_tables

VERSION = "0123456789ab.v1"
SESSIONS = [f"{number:032x}" for number in range(5)]
STEPS = 120


@pytest.fixture(scope="module")
def services() -> Iterator[Counter[str]]:
    with aws_in_process() as calls:
        yield calls


class Both:
    """Does the same to the real table and to the simulation's, and compares."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.simulated = Instances(Bill(), lambda: None, lambda _row: None)
        self.real_ids: dict[str, str] = {}
        self.now = 1000.0

    def step(self) -> None:
        self.now += self.chance.choice([0.0, 1.0, 30.0])
        slot = self.chance.randrange(2)
        mine = self.simulated.rows[VERSION].get(slot)
        theirs = store.in_slot(VERSION, slot)
        assert (mine is None) == (theirs is None)
        if mine is None or theirs is None or self.chance.random() < 0.1:
            self.claim(slot, mine if self.chance.random() < 0.9 else None)
            return
        ref, real = mine.ref, InstanceRef(VERSION, slot, self.real_ids[mine.instance_id])
        if self.chance.random() < 0.1:
            ref, real = ref._replace(instance_id="gone"), real._replace(instance_id="gone")
        name, mine_did, they_did = self.act(ref, real, mine)
        assert mine_did == they_did, name
        self.compare(slot)

    def act(self, ref: InstanceRef, real: InstanceRef, mine: Any) -> tuple[str, object, object]:
        now, session = self.now, self.chance.choice(SESSIONS)
        match self.chance.choice(
            [
                "take",
                "take",
                "take expired",
                "take unless queued",
                "queue",
                "renew",
                "give",
                "ready",
                "ready",
                "drain",
                "stop",
            ]
        ):
            case "take":
                done = (
                    f(r, session, now + 45)
                    for f, r in ((self.simulated.take_seat, ref), (store.take_seat, real))
                )
            case "take expired":
                old = longest_expired(mine.seats, now)
                if old is None or session in mine.seats:
                    return "nothing", None, None
                done = (
                    f(r, session, now + 45, old)
                    for f, r in ((self.simulated.take_seat, ref), (store.take_seat, real))
                )
            case "take unless queued":
                done = (
                    f(r, session, now + 45, unless_queued_at=now)
                    for f, r in ((self.simulated.take_seat, ref), (store.take_seat, real))
                )
            case "queue":
                done = (
                    f(r, now + 60)
                    for f, r in ((self.simulated.mark_queued, ref), (store.mark_queued, real))
                )
            case "renew":
                return (
                    "renew",
                    self.simulated.renew(ref, {session: now + 180}),
                    renewed(real, {session: now + 180}),
                )
            case "give":
                return (
                    "give",
                    self.simulated.give_back(ref, session),
                    store.give_back(real, session),
                )
            case "ready":
                return "ready", self.simulated.mark_ready(ref, now), made_ready(real, now)
            case "drain":
                return "drain", self.simulated.drain(ref, now), store.drain(real, now)
            case _:
                return (
                    "stop",
                    self.simulated.mark_stopped(ref, None, now),
                    store.mark_stopped(real, None, now),
                )
        simulated, there = done
        return "write", simulated is not None, there is not None

    def claim(self, slot: int, seen: Any) -> None:
        there = store.in_slot(VERSION, slot) if seen is not None else None
        what: Any = {"app": "/x", "capacity": 3, "now": self.now}
        mine = self.simulated.claim(VERSION, slot, **what, seen=seen)
        theirs = store.claim(VERSION, slot, **what, seen=there)
        assert (mine is None) == (theirs is None)
        if mine is not None and theirs is not None:
            self.real_ids[mine.instance_id] = theirs.instance_id

    def compare(self, slot: int) -> None:
        mine, theirs = self.simulated.rows[VERSION][slot], store.in_slot(VERSION, slot)
        assert theirs is not None
        assert mine.state == theirs.state
        assert mine.seats == store.seats_of(theirs)
        assert mine.queued_until == (
            float(theirs.queued_until) if theirs.queued_until is not None else None
        )
        assert self.real_ids[mine.instance_id] == theirs.instance_id


def renewed(ref: InstanceRef, leases: dict[str, float]) -> bool:
    try:
        store.renew(ref, leases)
    except InstanceChanged:
        return False
    return True


def made_ready(ref: InstanceRef, now: float) -> bool:
    try:
        store.mark_ready(ref, "10.0.0.1:8080", "token", now)
    except InstanceChanged:
        return False
    return True


@pytest.mark.parametrize("seed", range(4))
def test_instances_change_and_refuse_as_the_real_ones(services: Counter[str], seed: int) -> None:
    empty_tables()
    both = Both(random.Random(seed))
    for _ in range(STEPS):
        both.step()


def test_a_call_of_the_simulation_is_a_call_of_the_real_store(services: Counter[str]) -> None:
    """What the simulation counts is what DynamoDB is asked."""
    empty_tables()
    bill = Bill()
    instances, queues = Instances(bill, lambda: None, lambda _row: None), Queues(bill, lambda: None)
    for tables, line in ((instances, queues), (store, queue)):
        row = tables.claim(VERSION, 0, app="/x", capacity=1, now=1.0)
        assert row is not None
        if tables is instances:
            instances.mark_ready(row.ref, 1.0)
        else:
            store.mark_ready(row.ref, "a", "t", 1.0)
        tables.take_seat(row.ref, SESSIONS[0], 2.0)
        tables.take_seat(row.ref, SESSIONS[1], 2.0)
        tables.of_version(VERSION)
        tables.give_back(row.ref, SESSIONS[0])
        tables.drain(row.ref, 1.0)
        tables.mark_stopped(row.ref, None, 2.0)
        line.take(VERSION, "1-a", 1.0)
        line.line(VERSION)
        line.renew(VERSION, "1-a", 2.0)
        line.leave(VERSION, "1-a")
        if tables is instances:
            services.clear()
    operations = Counter[str]()
    for name, count in bill.calls.items():
        operations[name.split()[0]] += count
    assert operations == {
        name: count for name, count in services.items() if name != "DescribeTable"
    }
