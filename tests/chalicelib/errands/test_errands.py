"""Errands on true rows: each is done once, and each failure reaches the asker."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib import telemetry
from chalicelib.errands import asking, course, rows
from chalicelib.errands.course import Manner
from chalicelib.errands.doing import Doer, ErrandKind
from chalicelib.errands.errors import BadErrand, ErrandFailed
from chalicelib.errands.model import Errand

SECRET = "code-4711"
SECONDS = 10.0


class Died(BaseException):
    """The machine under the doer is gone: nothing after it runs."""


class World:
    """A clock, errands of the kind ``add``, and who does them."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.done: list[Any] = []
        self.then: Callable[[], None] = lambda: None
        """What happens after one is done and before it is answered."""
        self.doer = self.doing(repeatable=True)

    def clock(self) -> float:
        return self.now

    def doing(self, repeatable: bool) -> Doer:
        return Doer([ErrandKind("add", self._add, Manner(SECONDS, repeatable))], self.clock)

    def _add(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        if not isinstance(payload.get("n"), int):
            raise ErrandFailed("add: n is a number.")
        self.done.append(payload["n"])
        self.then()
        return {"n": payload["n"] + 1}

    def ask(self, key: str = "k", limit: float = 60.0, kind: str = "add", **payload: Any) -> str:
        return asking.ask(kind, payload or {"n": 1}, key, limit, self.now)

    def hears(self, *ids: str, doer: Doer | None = None) -> list[str]:
        """Deliver the records of errands; return which Lambda would deliver again."""
        accepted = (doer or self.doer).on_change([record(each) for each in ids])
        return [each["itemIdentifier"] for each in accepted["batchItemFailures"]]

    def answer(self, errand: str) -> asking.ErrandResult | None:
        return asking.read(errand, self.now)


def record(errand: str, event: str = "INSERT") -> dict[str, Any]:
    about = {"Keys": {"id": {"S": errand}}, "SequenceNumber": f"number of {errand}"}
    return {"eventName": event, "dynamodb": about}


@pytest.fixture
def world(dynamodb_calls: Counter[str]) -> World:
    return World()


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    for level in ("info", "warning", "error"):
        monkeypatch.setattr(
            telemetry.logger,
            level,
            lambda what, extra=None, **_: lines.append(f"{what} {json.dumps(extra)}"),
        )
    return lines


def test_what_is_asked_is_done_and_answered(world: World) -> None:
    errand = world.ask(n=4)
    assert world.answer(errand) is None
    assert world.hears(errand) == []
    assert world.answer(errand) == ({"n": 5}, None)
    assert asking.wait(errand, world.clock) == {"n": 5}
    asking.forget(errand)
    answer = world.answer(errand)
    assert answer is not None
    assert answer.failure is not None


def test_the_same_key_is_the_same_errand_until_its_row_has_had_its_time(world: World) -> None:
    errand = world.ask(n=1)
    assert world.ask(n=1) == errand
    world.hears(errand)
    assert world.ask(n=1) == errand
    assert world.answer(errand) == ({"n": 2}, None)
    world.now += 60 + asking.KEPT + 1
    assert world.ask(n=7) == errand
    assert world.answer(errand) is None
    world.hears(errand)
    assert world.done == [1, 7]
    assert world.ask("another", n=1) != errand


def test_a_record_that_comes_twice_is_done_once(world: World) -> None:
    errand = world.ask()
    assert world.hears(errand, errand) == []
    assert world.hears(errand) == []
    assert world.done == [1]


def test_a_record_that_comes_again_while_it_is_done_waits(world: World) -> None:
    errand = world.ask()
    world.then = lambda: again.extend(world.hears(errand))
    again: list[str] = []
    world.hears(errand)
    assert again == [f"number of {errand}"]
    assert world.done == [1]


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_doer_that_dies_is_replaced_or_the_errand_fails(world: World, repeatable: bool) -> None:
    doer, errand = world.doing(repeatable), world.ask()

    def die() -> None:
        raise Died

    world.then = die
    with pytest.raises(Died):
        world.hears(errand, doer=doer)
    world.then = lambda: None
    assert world.hears(errand, doer=doer), "as long as the dead one may live, the record waits"
    world.now += SECONDS
    assert world.hears(errand, doer=doer) == []
    if repeatable:
        assert world.done == [1, 1]
        assert world.answer(errand) == ({"n": 2}, None)
    else:
        assert world.done == [1]
        assert world.answer(errand) == (None, course.DOER_DIED)


def test_a_doer_that_dies_before_it_takes_the_errand_is_replaced(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    errand = world.ask()

    def die(*_: Any) -> bool:
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(rows, "take", die)
        with pytest.raises(Died):
            world.hears(errand)
    assert world.hears(errand) == []
    assert world.done == [1]


def test_a_doer_that_dies_after_the_answer_changes_nothing(world: World) -> None:
    errand = world.ask()
    world.hears(errand)
    world.now += SECONDS
    assert world.hears(errand) == []
    assert world.done == [1]


def test_errands_that_kill_every_doer_fail_in_the_end(world: World) -> None:
    errand = world.ask()

    def die() -> None:
        raise Died

    world.then = die
    for _ in range(course.MOST_ATTEMPTS):
        with pytest.raises(Died):
            world.hears(errand)
        world.now += SECONDS
    assert world.hears(errand) == []
    assert world.answer(errand) == (None, course.ALL_DIED)


def test_only_the_latest_doer_answers(world: World) -> None:
    """One that was thought dead goes on."""
    errand = world.ask()

    def stall() -> None:
        world.then = lambda: None
        world.now += SECONDS
        assert world.hears(errand) == []

    world.then = stall
    world.hears(errand)
    row = rows.find(errand)
    assert row is not None
    assert int(row.attempt) == 2
    assert world.answer(errand) == ({"n": 2}, None)


def test_an_answer_after_the_limit_does_not_count(world: World) -> None:
    errand = world.ask(limit=5.0)

    def dawdle() -> None:
        world.now += 5.0
        assert world.answer(errand) == (None, course.TOO_LATE)

    world.then = dawdle
    world.hears(errand)
    assert world.answer(errand) == (None, course.TOO_LATE)
    unread = world.ask("unread", limit=5.0)
    world.then = lambda: setattr(world, "now", world.now + 5.0)
    world.hears(unread)
    assert world.answer(unread) == (None, course.TOO_LATE), "also if nobody has looked meanwhile"


def test_one_that_nobody_begins_fails_at_its_limit_and_is_not_done_later(world: World) -> None:
    errand = world.ask(limit=5.0)
    waited: list[float] = []

    def pause(seconds: float) -> None:
        waited.append(seconds)
        world.now += seconds

    with pytest.raises(ErrandFailed, match="Nobody began it in time"):
        asking.wait(errand, world.clock, pause)
    assert sum(waited) == pytest.approx(5.0, abs=asking.PAUSES[-1])
    assert world.hears(errand) == []
    assert world.done == []


def test_a_late_record_ends_it_too(world: World) -> None:
    errand = world.ask(limit=5.0)
    world.now += 6.0
    assert world.hears(errand) == []
    assert world.done == []
    assert world.answer(errand) == (None, course.NOT_BEGUN)


def test_a_payload_that_the_kind_refuses_fails_with_its_words(world: World) -> None:
    errand = world.ask(n="one")
    assert world.hears(errand) == []
    assert world.answer(errand) == (None, "add: n is a number.")


@pytest.mark.parametrize(
    ("kind", "payload", "limit", "why"),
    [
        ("add", {"n": "x" * asking.LARGEST}, 60.0, "a payload of 32777 bytes; at most 32768 fit"),
        ("add", {"n": {1, 2}}, 60.0, "is not JSON"),
        ("Add", {"n": 1}, 60.0, "a kind has small letters"),
        ("add", {"n": 1}, 0.0, "a time limit of 0 s"),
        ("add", {"n": 1}, asking.LONGEST + 1, "at most 900"),
    ],
)
def test_what_breaks_a_rule_is_not_asked(
    world: World, kind: str, payload: dict[str, Any], limit: float, why: str
) -> None:
    with pytest.raises(BadErrand, match=why):
        asking.ask(kind, payload, "k", limit, world.now)
    assert list(Errand.scan()) == []


def test_an_answer_that_is_too_large_or_no_json_fails(world: World) -> None:
    for answer, why in (({"n": "x" * asking.LARGEST}, "32777 bytes"), ({"n": {1}}, "not JSON")):
        doer = Doer(
            [ErrandKind("add", partial(_answers, answer), Manner(SECONDS, True))], world.clock
        )
        errand = world.ask(why)
        assert world.hears(errand, doer=doer) == []
        found = world.answer(errand)
        assert found is not None
        assert why in str(found.failure)


def test_a_kind_that_nobody_does_fails_at_once(world: World) -> None:
    errand = world.ask(kind="subtract")
    assert world.hears(errand) == []
    assert world.answer(errand) == (None, course.UNKNOWN)


def test_a_failure_that_may_pass_is_tried_again_without_waiting(world: World) -> None:
    def throttled() -> None:
        world.then = lambda: None
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "X")

    world.then = throttled
    errand = world.ask()
    assert world.hears(errand) == [f"number of {errand}"]
    assert world.hears(errand) == []
    assert world.answer(errand) == ({"n": 2}, None)


def test_one_that_may_not_be_done_twice_is_not_even_after_a_failure_that_may_pass(
    world: World,
) -> None:
    def throttled() -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "X")

    world.then = throttled
    errand = world.ask()
    assert world.hears(errand, doer=world.doing(repeatable=False)) == []
    found = world.answer(errand)
    assert found is not None
    assert found.failure is not None
    assert "It broke off (ClientError)" in found.failure


def test_one_that_might_not_fit_is_left_to_the_next_invocation(world: World) -> None:
    errand = world.ask()
    accepted = world.doer.on_change([record(errand)], lambda: SECONDS - 1)
    assert len(accepted["batchItemFailures"]) == 1
    assert world.done == []
    assert world.hears(errand) == []


def test_a_poisoned_record_holds_up_nothing(world: World) -> None:
    errand = world.ask()
    poison = {"eventName": "INSERT", "dynamodb": {"Keys": {}, "SequenceNumber": "p"}}
    assert world.doer.on_change([poison, {}, record(errand)]) == {"batchItemFailures": []}
    assert world.done == [1]


def test_nothing_but_a_new_row_is_an_errand(world: World) -> None:
    errand = world.ask()
    world.doer.on_change([record(errand, "MODIFY"), record(errand, "REMOVE")])
    assert world.done == []
    assert world.hears("add/gone") == []


def test_no_secret_is_logged_and_the_payload_goes_once_it_is_done(
    world: World, logged: list[str]
) -> None:
    def quote() -> None:
        raise ValueError(f"what is {SECRET}?")

    done = world.ask(SECRET, n=1, code=SECRET)
    world.hears(done)
    world.then = quote
    broken = world.ask(f"{SECRET}, again", n=2, code=SECRET)
    world.hears(broken)
    assert [row.payload for row in Errand.scan()] == [None, None]
    assert world.answer(broken) == (
        None,
        "It broke off (ValueError); the log of the function on_errand says why.",
    )
    assert any("test_errands.py" in line and "quote" in line for line in logged)
    assert any("an errand is done" in line for line in logged)
    assert SECRET not in "".join(logged) + done + broken


def _answers(answer: Any, _payload: Any) -> Any:
    return answer
