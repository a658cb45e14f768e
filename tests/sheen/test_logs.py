"""Following the log: each line once, late ones too, and a quiet app's log is not read over and
over.
"""

from typing import Any

import pytest

from sheen import logs
from sheen.logs import LATE_MS, SKEW_MS, Follower

STREAM = "0123456789ab/20261120T000000Z-0000/00112233aabbccdd/20261120T000000Z-0000.0.1"
DAY = 86_400_000
NOW = 20_000 * DAY


class Service:
    """CloudWatch Logs with one event a page, and an empty page with a token before each, as AWS may
    answer.
    """

    def __init__(self) -> None:
        self.events: list[tuple[int, str]] = []
        self.starts: list[int] = []

    def get_paginator(self, operation: str) -> "Service":
        assert operation == "filter_log_events"
        return self

    def paginate(self, *, logGroupName: str, logStreamNamePrefix: str, startTime: int) -> Any:  # noqa: N803
        assert (logGroupName, logStreamNamePrefix) == ("group", "0123456789ab/")
        self.starts.append(startTime)
        for at_ms, text in sorted(self.events):
            if at_ms >= startTime:
                yield {"events": []}
                yield {
                    "events": [
                        {
                            "eventId": text,
                            "timestamp": at_ms,
                            "logStreamName": STREAM,
                            "message": text,
                        }
                    ]
                }


class Now:
    """A clock that stands still."""

    ms = NOW

    def __call__(self) -> float:
        return self.ms / 1000


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    made = Service()
    monkeypatch.setattr(logs, "client", lambda _service: made)
    return made


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line.split()[-1] for line in capsys.readouterr().out.splitlines()]


def test_a_quiet_apps_log_is_read_once_and_then_only_where_something_may_come(
    service: Service,
) -> None:
    service.events = [(NOW - DAY + 1000, "long-ago")]
    now = Now()
    follower = Follower("group", "0123456789ab/", NOW - DAY, now)
    for _ in range(3):
        follower.look()
        now.ms += 1000
    assert service.starts == [NOW - DAY, NOW - SKEW_MS - LATE_MS, NOW + 1000 - SKEW_MS - LATE_MS]


def test_each_line_comes_once_also_one_that_is_late(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    now = Now()
    follower = Follower("group", "0123456789ab/", NOW - 1000, now)
    service.events = [(NOW - 500, "first"), (NOW, "second"), (NOW - 2000, "before")]
    assert follower.look() == 2
    now.ms += 1000
    service.events += [(NOW + 900, "third"), (NOW - 400, "late")]
    assert follower.look() == 2
    assert follower.look() == 0
    assert said(capsys) == ["first", "second", "late", "third"]


@pytest.mark.parametrize("skew_ms", [-SKEW_MS, SKEW_MS])
def test_a_clock_that_is_wrong_here_loses_nothing(
    service: Service, capsys: pytest.CaptureFixture[str], skew_ms: int
) -> None:
    now = Now()
    follower = Follower("group", "0123456789ab/", NOW - DAY, now)
    for second in range(10):
        now.ms = NOW + 1000 * second + skew_ms
        follower.look()
        service.events.append((NOW + 1000 * second - LATE_MS // 2, f"line-{second}"))
    follower.look()
    assert said(capsys) == [f"line-{second}" for second in range(10)]


def test_the_seen_ones_are_not_remembered_for_good(service: Service) -> None:
    now = Now()
    follower = Follower("group", "0123456789ab/", NOW - DAY, now)
    service.events = [(NOW - DAY + second, f"line-{second}") for second in range(100)]
    follower.look()
    assert not follower._seen
