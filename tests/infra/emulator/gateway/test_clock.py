from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.emulator.clock import Clock


class World:
    """A world clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(0.001, 1e6)), max_size=30))
def test_time_goes_on_at_the_present_speed_and_never_back(steps: list[tuple[float, float]]) -> None:
    world = World()
    clock = Clock(source=world, wall=lambda: 5000.0)
    speed, expected = 1.0, 0.0
    start = clock.monotonic()
    for wait, faster in steps:
        world.now += wait
        expected += wait * speed
        assert clock.monotonic() - start == pytest.approx(expected, rel=1e-6, abs=1e-3)
        before = clock.monotonic()
        clock.set_speed(faster)
        speed = faster
        assert clock.monotonic() == pytest.approx(before, rel=1e-9)
        assert clock.time() - clock.monotonic() == pytest.approx(5000.0 - 100.0, abs=1e-3)


@pytest.mark.parametrize("speed", [0, -1, float("nan"), float("inf"), 1e9, True, "2", None])
def test_an_unusable_speed_is_refused_and_changes_nothing(speed: object) -> None:
    clock = Clock()
    with pytest.raises(ValueError, match="clock speed"):
        clock.set_speed(speed)  # type: ignore[arg-type]
    assert clock.speed == 1.0


async def test_a_waiting_timer_fires_at_once_when_the_clock_is_made_fast_enough() -> None:
    clock = Clock()
    fired: list[float] = []
    deadline = clock.monotonic() + 600
    clock.call_at(deadline, lambda: fired.append(clock.monotonic()))
    waiting = asyncio.create_task(clock.sleep(600))
    await asyncio.sleep(0)
    clock.set_speed(100_000)
    async with asyncio.timeout(5):
        await waiting
    assert fired
    assert fired[0] >= deadline


async def test_a_waiting_timer_waits_longer_when_the_clock_is_slowed() -> None:
    clock = Clock(1000)
    fired: list[bool] = []
    timer = clock.call_at(clock.monotonic() + 20, lambda: fired.append(True))
    clock.set_speed(0.001)
    await asyncio.sleep(0.05)
    assert not fired
    timer.cancel()
    clock.set_speed(1_000_000)
    await asyncio.sleep(0.01)
    assert not fired, "a cancelled timer came back with the new speed"


async def test_a_cancelled_sleep_leaves_no_timer_behind() -> None:
    clock = Clock()
    waiting = asyncio.create_task(clock.sleep_until(clock.monotonic() + 60))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert not clock._timers
