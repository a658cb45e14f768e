"""Snapshots: who looks, who is shown the old, and what it costs."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.instances.snapshots import KEPT, Snapshots

NOW = 1_800_000_000.0


class Looks:
    """A clock, environments, and a count of looks."""

    def __init__(self) -> None:
        self.now = NOW
        self.looks = 0

    def look(self) -> dict[str, int]:
        self.looks += 1
        return {"look": self.looks}

    def ask(self, environment: Snapshots) -> int:
        return int(environment.get("x", self.look)["look"])

    def environment(self) -> Snapshots:
        return Snapshots(lambda: self.now)


def test_a_look_is_for_all_and_is_made_anew_when_it_is_old(dynamodb_calls: Counter[str]) -> None:
    looks = Looks()
    one, other = looks.environment(), looks.environment()
    assert [looks.ask(one), looks.ask(other), looks.ask(one)] == [1, 1, 1]
    dynamodb_calls.clear()
    assert [looks.ask(one), looks.ask(other)] == [1, 1]
    assert dynamodb_calls == {}
    looks.now += KEPT
    assert [looks.ask(other), looks.ask(one), looks.ask(other)] == [2, 2, 2]


@pytest.mark.usefixtures("dynamodb_calls")
def test_of_many_who_find_it_old_at_once_one_looks() -> None:
    looks = Looks()
    looks.ask(looks.environment())
    looks.now += 2 * KEPT
    with ThreadPoolExecutor(12) as threads:
        seen = set(threads.map(lambda _: looks.ask(looks.environment()), range(12)))
    assert looks.looks == 2
    assert seen <= {1, 2}


@pytest.mark.usefixtures("dynamodb_calls")
def test_one_who_dies_while_looking_keeps_the_others_from_it_for_a_moment_only() -> None:
    looks = Looks()
    looks.ask(looks.environment())
    looks.now += 2 * KEPT

    def dies() -> None:
        raise RuntimeError("out of time")

    with pytest.raises(RuntimeError):
        looks.environment().get("x", dies)
    assert looks.ask(looks.environment()) == 1
    looks.now += KEPT
    assert looks.ask(looks.environment()) == 2
