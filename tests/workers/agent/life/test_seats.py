"""Leases are renewed and seats given back, in an order that cannot bring one back."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from agent.life.seats import Seats
from chalicelib.instances import store
from chalicelib.instances.model import Instance, InstanceRef
from tests.support.waiting import eventually


@pytest.fixture
def instance(tables: None) -> Instance:
    claimed = store.claim(f"seats.{time.time_ns()}", 0, app="/x", capacity=5, now=0)
    assert claimed is not None
    return store.mark_ready(claimed.ref, "127.0.0.1:1", "t", 0)


@contextlib.asynccontextmanager
async def running(seats: Seats) -> AsyncIterator[None]:
    task = asyncio.create_task(seats.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def leases(ref: InstanceRef) -> dict[str, float]:
    instance = store.get(ref)
    assert instance is not None
    return store.seats_of(instance)


async def test_live_sessions_are_renewed_and_ended_ones_given_back(instance: Instance) -> None:
    for session in ("a", "b"):
        store.take_seat(instance.ref, session, 45)
    live = ["a", "b"]
    seats = Seats(instance.ref, lambda: live, lambda: None, clock=lambda: 1000.0, renew_every=0.05)
    async with running(seats):
        await eventually(lambda: leases(instance.ref) == {"a": 1180.0, "b": 1180.0})
        live.remove("b")
        seats.give_back("b")
        await asyncio.wait_for(seats.settled(), 5)
        assert set(leases(instance.ref)) == {"a"}
        await asyncio.sleep(0.2)  # several renewals
        assert set(leases(instance.ref)) == {"a"}


async def test_a_seat_goes_back_also_when_the_table_fails_at_first(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.take_seat(instance.ref, "a", 45)
    real, attempts = store.give_back, []

    def failing(ref: InstanceRef, session: str) -> bool:
        attempts.append(session)
        if len(attempts) < 3:
            raise ConnectionError("no table")
        return real(ref, session)

    monkeypatch.setattr("agent.life.seats.FIRST_RETRY", 0.01)
    monkeypatch.setattr(store, "give_back", failing)
    seats = Seats(instance.ref, list, lambda: None)
    async with running(seats):
        seats.give_back("a")
        await asyncio.wait_for(seats.settled(), 5)
    assert leases(instance.ref) == {}
    assert len(attempts) == 3


async def test_an_instance_that_is_not_ready_any_more_is_noticed(instance: Instance) -> None:
    store.mark_stopped(instance.ref, None, 0)
    noticed = asyncio.Event()
    async with running(Seats(instance.ref, lambda: ["a"], noticed.set, renew_every=0.02)):
        await asyncio.wait_for(noticed.wait(), 5)
