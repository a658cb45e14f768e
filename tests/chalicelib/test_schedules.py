"""Schedules, against cronsim where both can say the same."""

from datetime import UTC, datetime

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.schedules import BadSchedule, Schedule


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def following(expression: str, moment: str) -> str:
    found = Schedule.parse(expression).next_after(at(moment))
    assert found is not None
    return datetime.fromtimestamp(found, UTC).strftime("%Y-%m-%dT%H:%M")


def field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    spans = (
        st.tuples(number, number)
        .filter(lambda pair: pair[0] != pair[1])
        .map(lambda pair: f"{min(pair)}-{max(pair)}")
    )
    steps = st.tuples(st.one_of(st.just("*"), spans), st.integers(1, high)).map(
        lambda pair: f"{pair[0]}/{pair[1]}"
    )
    part = st.one_of(number.map(str), spans, steps)
    return st.one_of(st.just("*"), st.lists(part, min_size=1, max_size=3).map(",".join))


MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)


@given(field(0, 59), field(0, 23), field(1, 28), field(1, 12), MOMENTS)
def test_days_of_month_are_those_of_cronsim(
    minute: str, hour: str, day: str, month: str, moment: datetime
) -> None:
    expected = next(CronSim(f"{minute} {hour} {day} {month} *", moment))
    found = Schedule.parse(f"cron({minute} {hour} {day} {month} ? *)").next_after(
        moment.timestamp()
    )
    assert found == expected.timestamp()


@given(field(0, 59), field(0, 23), st.sets(st.integers(0, 6), min_size=1), MOMENTS)
def test_days_of_week_are_those_of_cronsim_counted_from_one(
    minute: str, hour: str, days: set[int], moment: datetime
) -> None:
    expected = next(CronSim(f"{minute} {hour} * * {','.join(map(str, sorted(days)))}", moment))
    ours = ",".join(str(day + 1) for day in sorted(days))
    assert (
        Schedule.parse(f"cron({minute} {hour} ? * {ours} *)").next_after(moment.timestamp())
        == expected.timestamp()
    )


@pytest.mark.parametrize(
    ("expression", "moment", "expected"),
    [
        ("rate(1 hour)", "2026-11-20T10:30", "2026-11-20T11:30"),
        ("rate(5 minutes)", "2026-11-20T10:30", "2026-11-20T10:35"),
        ("rate(2 days)", "2026-11-20T10:30", "2026-11-22T10:30"),
        ("cron(0 8 ? * MON-FRI *)", "2026-11-20T10:30", "2026-11-23T08:00"),
        ("cron(15 10 L * ? *)", "2026-02-01T00:00", "2026-02-28T10:15"),
        ("cron(0 0 ? * 6L *)", "2026-11-01T00:00", "2026-11-27T00:00"),
        ("cron(0 0 ? * TUE#2 *)", "2026-11-01T00:00", "2026-11-10T00:00"),
        ("cron(0 0 15W * ? *)", "2026-11-01T00:00", "2026-11-16T00:00"),
        ("cron(0 0 1W * ? *)", "2026-08-01T12:00", "2026-08-03T00:00"),
        ("cron(0 0 29 FEB ? *)", "2026-03-01T00:00", "2028-02-29T00:00"),
        ("cron(0/20 * * * ? 2030)", "2026-03-01T00:00", "2030-01-01T00:00"),
    ],
)
def test_times_that_were_worked_out_by_hand(expression: str, moment: str, expected: str) -> None:
    assert following(expression, moment) == expected


def test_never_and_years_that_are_over_have_no_next_time() -> None:
    assert Schedule.parse("never").next_after(0) is None
    assert Schedule.parse("cron(0 0 1 1 ? 1999)").next_after(at("2026-01-01T00:00")) is None
    assert Schedule.parse("cron(0 0 31 2 ? *)").next_after(at("2026-01-01T00:00")) is None


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("hourly", "neither never nor rate"),
        ("rate(0 minutes)", "at least 1"),
        ("cron(0 8 * * *)", "5 fields"),
        ("cron(0 8 * * * *)", 'just one is "?"'),
        ("cron(60 8 * * ? *)", 'minutes has "60"'),
        ("cron(0 8 ? * MOON *)", 'day of week has "MOON"'),
        ("cron(5-1 8 * * ? *)", "goes backwards"),
        ("cron(*/0 8 * * ? *)", 'step "0"'),
        ("cron(0 8 * * ? ٢٠٢٦)", "year"),
    ],
)
def test_what_is_no_schedule_is_refused_with_its_rule(expression: str, why: str) -> None:
    with pytest.raises(BadSchedule) as caught:
        Schedule.parse(expression)
    assert expression in str(caught.value)
    assert why in str(caught.value)
