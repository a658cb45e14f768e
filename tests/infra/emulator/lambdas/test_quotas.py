"""What Lambda refuses to run."""

from pathlib import Path

import pytest

from infra.emulator.gateway.invoker import NotActive, Throttled
from infra.emulator.lambdas.function import Function
from infra.emulator.lambdas.quotas import INACTIVE_AFTER, PENDING, Concurrency, InvocationTimes

FUNCTIONS = {
    "page": Function("page", "app.page", Path(), in_vpc=True),
    "start": Function("start", "app.start", Path(), reserved_concurrency=2),
    "other": Function("other", "app.other", Path()),
}


def test_ten_run_at_once_and_the_eleventh_is_throttled_until_one_ends() -> None:
    running = Concurrency(FUNCTIONS, 12)
    for n in range(10):
        running.begin(("page", "other")[n % 2])
    for function in ("page", "other"):
        with pytest.raises(Throttled, match="10 are allowed"):
            running.begin(function)
    running.end("page")
    running.begin("other")


def test_what_is_reserved_is_left_alone_by_others_and_is_a_limit_as_well() -> None:
    running = Concurrency(FUNCTIONS, 3)
    running.begin("page")
    with pytest.raises(Throttled):
        running.begin("other")
    running.begin("start")
    running.begin("start")
    with pytest.raises(Throttled):
        running.begin("start")


def test_more_than_there_is_cannot_be_reserved() -> None:
    with pytest.raises(ValueError, match="reserve 2"):
        Concurrency(FUNCTIONS, 1)


def test_a_function_in_the_vpc_that_was_idle_for_two_weeks_fails_until_it_has_a_network_again() -> (
    None
):
    activity = InvocationTimes(FUNCTIONS, 0.0)
    activity.use("page", INACTIVE_AFTER)
    later = 2 * INACTIVE_AFTER + 1
    for seconds in (0.0, 1.0, PENDING - 1):
        with pytest.raises(NotActive, match="state: Pending"):
            activity.use("page", later + seconds)
    activity.use("page", later + PENDING)
    activity.use("page", later + PENDING + INACTIVE_AFTER)


def test_a_function_outside_the_vpc_stays_active() -> None:
    InvocationTimes(FUNCTIONS, 0.0).use("other", 100 * INACTIVE_AFTER)
