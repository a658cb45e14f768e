"""EventBridge's schedule expressions, ``rate(1 hour)`` and ``cron(0 8 ? * MON-FRI *)``. Pure.

Times are UTC. A cron expression has minutes, hours, day of month, month, day of week (1 is Sunday)
and year. Exactly one of the two day fields is ``?``. ``L``, ``W`` and ``#`` are understood where
EventBridge understands them.
"""

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from chalicelib.errors import Malformed

NEVER = "never"
"""Only on demand; not an expression of EventBridge."""

_RATE = re.compile(r"rate\(\s*(\d{1,6})\s+(minute|hour|day)s?\s*\)")
_CRON = re.compile(r"cron\(([^()]*)\)")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
_YEARS = range(1970, 2200)


class BadSchedule(Malformed):
    """An expression is neither ``rate(…)`` nor ``cron(…)`` in EventBridge's syntax."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a sync is due, repeatedly."""

    expression: str
    period: int = 0
    """Seconds between two times of a rate; 0: :attr:`cron` applies, if set."""
    cron: "_Cron | None" = None

    @classmethod
    def parse(cls, expression: str) -> "Schedule":
        """Read an expression; raise :class:`BadSchedule` that names the part and its rule."""
        if expression == NEVER:
            return cls(expression)
        if (rate := _RATE.fullmatch(expression)) is not None:
            if int(rate[1]) < 1:
                raise BadSchedule(f'"{expression}": a rate is at least 1')
            return cls(expression, period=int(rate[1]) * _SECONDS[rate[2]])
        if (cron := _CRON.fullmatch(expression)) is not None:
            return cls(expression, cron=_Cron.parse(expression, cron[1].split()))
        raise BadSchedule(
            f'"{expression}" is neither {NEVER} nor rate(…) nor cron(…), as in rate(1 '
            "hour) or cron(0 8 ? * MON-FRI *)"
        )

    def next_after(self, moment: float) -> float | None:
        """Return the next time after ``moment``, or None if there is none.

        Both are in seconds since 1970.
        """
        if self.period:
            return moment + self.period
        return self.cron.next_after(moment) if self.cron is not None else None


@dataclass(frozen=True, slots=True)
class _Cron:
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: frozenset[int]
    years: frozenset[int]
    day: str
    """Day of month, or ``?``."""
    weekday: str

    @classmethod
    def parse(cls, expression: str, fields: list[str]) -> "_Cron":
        if len(fields) != 6:
            raise BadSchedule(
                f'"{expression}" has {len(fields)} fields; it takes 6: minutes, hours, '
                "day, month, weekday, year"
            )
        minutes, hours, day, month, weekday, year = (field.upper() for field in fields)
        if (day == "?") == (weekday == "?"):
            raise BadSchedule(f'"{expression}": of day of month and day of week, just one is "?"')
        cron = cls(
            tuple(sorted(_numbers(expression, "minutes", minutes, range(60)))),
            tuple(sorted(_numbers(expression, "hours", hours, range(24)))),
            frozenset(_numbers(expression, "month", month, range(1, 13), _MONTHS)),
            frozenset(_numbers(expression, "year", year, _YEARS)),
            day,
            weekday,
        )
        cron._days(2024, 1, expression)
        return cron

    def next_after(self, moment: float) -> float | None:
        start = datetime.fromtimestamp(moment, UTC).replace(second=0, microsecond=0) + timedelta(
            minutes=1
        )
        year, month = start.year, start.month
        while year < _YEARS.stop:
            if year in self.years and month in self.months:
                for day in sorted(self._days(year, month)):
                    if (found := self._first_of(date(year, month, day), start)) is not None:
                        return found.timestamp()
            if year not in self.years:
                month = 12
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)
        return None

    def _first_of(self, day: date, start: datetime) -> datetime | None:
        if day < start.date():
            return None
        for hour in self.hours:
            for minute in self.minutes:
                time = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
                if time >= start:
                    return time
        return None

    def _days(self, year: int, month: int, expression: str = "") -> set[int]:
        """Return the days of a month on which the schedule fires."""
        last = calendar.monthrange(year, month)[1]
        if self.weekday == "?":
            return _days_of_month(expression, self.day, year, month, last)
        return _days_of_week(expression, self.weekday, year, month, last)


def _days_of_month(expression: str, field: str, year: int, month: int, last: int) -> set[int]:
    if field == "L":
        return {last}
    if field.endswith("W") and field[:-1].isdigit() and 1 <= int(field[:-1]) <= 31:
        wanted = int(field[:-1])
        return {_nearest_weekday(year, month, wanted, last)} if wanted <= last else set()
    return {day for day in _numbers(expression, "day of month", field, range(1, 32)) if day <= last}


def _days_of_week(expression: str, field: str, year: int, month: int, last: int) -> set[int]:
    def weekday(day: int) -> int:
        return (date(year, month, day).weekday() + 1) % 7 + 1

    def number(text: str) -> int:
        (one,) = _numbers(expression, "day of week", text, range(1, 8), _DAYS)
        return one

    if (match := re.fullmatch(r"(\w+)#([1-5])", field)) is not None:
        days = [day for day in range(1, last + 1) if weekday(day) == number(match[1])]
        return set(days[int(match[2]) - 1 : int(match[2])])
    if field == "L":
        field = "7"
    elif (match := re.fullmatch(r"(\w+)L", field)) is not None:
        return {max(day for day in range(1, last + 1) if weekday(day) == number(match[1]))}
    wanted = _numbers(expression, "day of week", field, range(1, 8), _DAYS)
    return {day for day in range(1, last + 1) if weekday(day) in wanted}


def _nearest_weekday(year: int, month: int, day: int, last: int) -> int:
    """Return the working day nearest to a day, within the month."""
    match date(year, month, day).weekday():
        case 5:
            return day - 1 if day > 1 else 3
        case 6:
            return day + 1 if day < last else day - 2
    return day


def _numbers(
    expression: str, what: str, field: str, allowed: range, names: dict[str, int] | None = None
) -> set[int]:
    """Read a field: ``*``, numbers, names, ranges, steps, and lists of these."""

    def number(text: str) -> int:
        if names and text in names:
            return names[text]
        if not text.isascii() or not text.isdigit() or int(text) not in allowed:
            raise BadSchedule(
                f'"{expression}": {what} has "{text}"; it takes {allowed.start} to '
                f"{allowed.stop - 1}"
            )
        return int(text)

    found: set[int] = set()
    for part in field.split(","):
        span, slash, step = part.partition("/")
        if span == "*":
            first, last = allowed.start, allowed.stop - 1
        else:
            low, dash, high = span.partition("-")
            first = number(low)
            last = number(high) if dash else (allowed.stop - 1 if slash else first)
        if slash and not (step.isascii() and step.isdigit() and int(step)):
            raise BadSchedule(
                f'"{expression}": {what} has the step "{step}"; it takes a number from 1'
            )
        if first > last:
            raise BadSchedule(f'"{expression}": {what} has "{span}", which goes backwards')
        found |= set(range(first, last + 1, int(step) if slash else 1))
    return found
