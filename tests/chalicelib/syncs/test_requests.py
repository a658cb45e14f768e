"""Requests are merged, none is lost, and of each way one run runs at a time."""

import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aws import clients
from chalicelib.syncs import requests
from chalicelib.syncs.definition import SyncDefinition
from chalicelib.syncs.errors import BadSync
from chalicelib.syncs.model import Way

PREFIXES = st.sampled_from(["", "a/", "a/b/", "now/", "now/x/", "n", "zz/"])
KEYS = st.sampled_from(["a/1", "a/b/2", "now/3", "now/x/4", "n5", "zz/6", "7"])


def definition(**values: Any) -> SyncDefinition:
    return SyncDefinition.parse("sales", values, "sheen-test")


@given(PREFIXES, st.sampled_from(["", "/", "now/", "now/x/"]), KEYS)
def test_every_object_of_a_prefix_comes_by_one_way_and_an_urgent_one_by_the_copy_task(
    prefix: str, urgent: str, key: str
) -> None:
    wanted = definition(urgent=urgent)
    ways = requests.ways_of(wanted, prefix)
    brought = [
        way
        for way, part in ways.items()
        if key.startswith(part) and (way is Way.COPY) == wanted.is_urgent(key)
    ]
    assert len(brought) == (1 if key.startswith(prefix) else len(brought))
    assert len(brought) <= 1


@pytest.mark.parametrize("prefix", ["/a", "../", "a//b"])
def test_a_prefix_that_no_file_can_have_is_refused(prefix: str) -> None:
    with pytest.raises(BadSync, match="prefix"):
        requests.check_prefix(prefix)


class Machine:
    """The state machine, as the executions that were started."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.lock = threading.Lock()

    def start_execution(self, *, name: str, **_: Any) -> None:
        with self.lock:
            self.started.append(name)


@pytest.fixture
def machine(dynamodb_calls: Counter[str]) -> Iterator[Machine]:
    found = Machine()
    with patch.object(clients, "client", lambda _service: found):
        yield found


def test_the_same_asked_many_times_is_one_row_and_who_waits_is_remembered(machine: Machine) -> None:
    stamps = [
        requests.ask_for_prefix(definition(), "a/", "asked", float(now))[Way.TRANSFER]
        for now in range(5)
    ]
    for now in range(20):
        requests.ask_for_object(definition(urgent="/"), f"f{now % 2} |+", 5, float(now))
    [row] = requests.pending("sales", Way.TRANSFER)
    assert row.stamps == set(stamps)
    assert sorted(each.target for each in requests.pending("sales", Way.COPY)) == ["f0 |+", "f1 |+"]


def test_an_object_goes_the_way_on_which_it_is_already(machine: Machine) -> None:
    wanted = definition(urgent="/", urgent_limit="10")
    assert requests.ask_for_object(wanted, "f", 11, 1.0) is Way.TRANSFER
    assert (
        requests.ask_for_object(wanted, "f", 5, 2.0) is Way.TRANSFER
    )  # it comes after what is there already
    requests.done(requests.pending("sales", Way.TRANSFER))
    assert requests.ask_for_object(wanted, "f", 5, 3.0) is Way.COPY


def test_what_is_asked_again_while_it_is_done_is_not_forgotten(machine: Machine) -> None:
    requests.ask_for_object(definition(urgent="/"), "f", 5, 1.0)
    rows = requests.pending("sales", Way.COPY)
    requests.ask_for_object(definition(urgent="/"), "f", 6, 2.0)
    assert requests.take(rows, "run") == []
    requests.done(rows)
    [left] = requests.pending("sales", Way.COPY)
    assert left.asked_at == 2.0


def test_of_many_who_ask_at_once_one_starts_a_run_and_nothing_stays_undone(
    machine: Machine,
) -> None:
    """Askers and the ends of runs in any order: whatever was asked is done in the end, one run at a
    time.
    """
    wanted = definition(urgent="/")
    done: Counter[str] = Counter()
    running = threading.Semaphore(1)
    over = threading.Event()
    clock = iter(range(1, 10**6))
    lock = threading.Lock()

    def now() -> float:
        with lock:
            return float(next(clock))

    def ask(number: int) -> None:
        requests.ask_for_object(wanted, f"f{number % 17}", 5, now())
        requests.start("sales", Way.COPY, "machine", now())

    def serve() -> None:
        at = 0
        while not (over.is_set() and at == len(machine.started)):
            if at == len(machine.started):
                over.wait(0.001)
                continue
            assert running.acquire(blocking=False), "two runs at once"
            run_id = machine.started[at].removeprefix("sales-")
            at += 1
            rows = requests.pending("sales", Way.COPY)
            done.update(row.target for row in rows)
            requests.done(rows)
            running.release()
            requests.give_back("sales", Way.COPY, run_id)
            if requests.pending("sales", Way.COPY, 1):
                requests.start("sales", Way.COPY, "machine", now())

    server = threading.Thread(target=serve)
    server.start()
    numbers = list(range(150))
    random.Random(7).shuffle(numbers)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(ask, numbers))
    over.set()
    server.join()
    assert not requests.pending("sales", Way.COPY)
    assert set(done) == {f"f{number}" for number in range(17)}
    assert requests.lease("sales", Way.COPY) is None
