"""Sessions end with their login, also when nobody tells the agent."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

from agent.life.logins import Logins
from chalicelib.identity import life
from chalicelib.identity.model import Login
from relay.errors import Ending, SignedOut
from tests.chalicelib.aws_in_process import aws_in_process

DURATION = 3600.0


class Instance:
    """Three sessions, two of them of one login, and what has ended."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.known = {"s1": "a", "s2": "a", "s3": "b"}
        self.over: list[str] = []
        self.logins = Logins(lambda: self.known, self._end, lambda: self.now)

    def _end(self, sessions: Iterable[str], ending: Ending) -> None:
        assert ending == SignedOut().ending
        for session in sessions:
            self.over.append(session)
            del self.known[session]


def begin(login_id: str, now: float, **more: Any) -> None:
    living = life.new(now, DURATION)
    Login(
        login_id,
        user="flat#kim",
        name="kim",
        role="viewer",
        made_at=now,
        used_at=living.used_at,
        ends_at=living.ends_at,
        duration=DURATION,
        expires_at=int(now + 2 * DURATION),
        **more,
    ).save()


def test_told_of_a_login_its_sessions_end_and_no_others() -> None:
    instance = Instance()
    assert instance.logins.ended({"a", "unknown"}) == 2
    assert instance.over == ["s1", "s2"]
    assert instance.logins.ended({"a"}) == 0


async def test_a_login_whose_row_is_gone_ends_and_one_in_use_lives_on() -> None:
    with aws_in_process() as calls:
        instance = Instance()
        begin("a", instance.now), begin("b", instance.now)
        for _ in range(5):  # 2.5 times as long as it would live unused
            instance.now += DURATION / 2
            await instance.logins.look()
        assert instance.over == []
        Login("a").delete()
        await instance.logins.look()
        assert instance.over == ["s1", "s2"]
        instance.now += DURATION
        await instance.logins.look()
        assert instance.over == ["s1", "s2", "s3"]
        calls.clear()
        await instance.logins.look()
        assert calls == Counter()


async def test_however_much_it_is_used_a_login_ends() -> None:
    with aws_in_process():
        instance = Instance()
        begin("a", instance.now), begin("b", instance.now)
        while instance.now < 1000.0 + life.LONGEST - DURATION / 2:
            instance.now += DURATION / 2
            await instance.logins.look()
        assert instance.over == []
        instance.now += DURATION / 2
        await instance.logins.look()
        assert sorted(instance.over) == ["s1", "s2", "s3"]


@pytest.mark.parametrize("asked", [True, False])
async def test_using_a_login_costs_a_write_once_a_quarter_of_its_time(asked: bool) -> None:
    with aws_in_process() as calls:
        instance = Instance()
        begin("a", instance.now), begin("b", instance.now)
        calls.clear()
        instance.now += DURATION / 4 + (1 if asked else -1)
        await instance.logins.look()
        assert (calls["BatchGetItem"], calls["UpdateItem"]) == (1, 2 if asked else 0)
