"""Turns directives into settings of apps. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from chalicelib.configuration.app_rules import MOST_HEADERS, is_passable
from chalicelib.configuration.app_settings import BOOKMARKS_OFF, DECLARED, read
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.configuration.shiny_server_conf.use import Use
from chalicelib.configuration.worker_limits import MOST_SEATS

LONGEST_START = 240
"""Seconds that an app's start may take here."""
LONGEST_TIME = 30 * 86400
MOST_PROCESSES = 100
LONGEST_DELAY = 600

_Reader = Callable[..., tuple[Any, str]]


class Translation(NamedTuple):
    """The setting that a directive sets."""

    setting: str
    value: Any
    """None: the directive's value is none that the setting can have."""
    remark: str = ""
    """What differs from what the file says; empty: nothing."""


def translate(use: Use) -> Translation | None:
    """Return the setting that a directive sets; None: it sets none."""
    setting = use.directive.setting
    if not setting or not use.valid:
        return None
    arguments = tuple(use.values.values())
    convert: _Reader = _READERS.get(use.name, _as_it_is)
    value, remark = convert(*arguments)
    try:
        return Translation(setting, read(setting, value), remark)
    except BadAppSetting:
        rule = DECLARED[setting].rule
        assert rule is not None, "read() raises another error without a rule"
        return Translation(
            setting, None, f"no effect: here it is {rule.words}, as in {rule.example}"
        )


def _as_it_is(value: Any) -> tuple[Any, str]:
    return value, ""


def _start(seconds: int) -> tuple[Any, str]:
    if seconds <= 0:
        return 60, "60 seconds, as in Shiny Server"
    if seconds > LONGEST_START:
        return LONGEST_START, f"{LONGEST_START} seconds, the longest time, instead of {seconds}"
    return seconds, ""


def _time(seconds: int) -> tuple[Any, str]:
    if seconds < 0:
        return 0, "0"
    if seconds > LONGEST_TIME:
        return LONGEST_TIME, f"{LONGEST_TIME} seconds, the longest time, instead of {seconds}"
    return seconds, ""


def _delay(default: int) -> Callable[[float], tuple[Any, str]]:
    def read(seconds: float) -> tuple[Any, str]:
        if seconds <= 0:
            return default, f"{default} seconds, as in Shiny Server"
        within = min(max(1, seconds), LONGEST_DELAY)
        return within, "" if within == seconds else f"{within:g} seconds instead of {seconds:g}"

    return read


def _sessions(most: int) -> tuple[Any, str]:
    if most <= 0 or most > MOST_SEATS:
        return MOST_SEATS, f"{MOST_SEATS} sessions, the most of one instance"
    return most, ""


def _utilization(sessions: int, load: float, processes: int) -> tuple[Any, str]:
    per_process = min(max(1, sessions), MOST_SEATS)
    number = min(max(1, processes), MOST_PROCESSES, MOST_SEATS // per_process)
    factor = min(max(0.0, load), 1.0)
    value = (per_process, factor, number)
    if value != (sessions, load, processes):
        return value, f"{per_process} {factor:g} {number}, as an instance can have no more"
    if factor == 0:
        return value, "a factor of 0 starts the next process at once"
    return value, ""


def _frame_options(word: str, url: str | None) -> tuple[Any, str]:
    return (word if url is None else f"{word} {url}"), ""


def _set_header(name: str, value: str) -> tuple[Any, str]:
    return {name: value}, ""


def _bookmarks(folder: str) -> tuple[Any, str]:
    return folder or BOOKMARKS_OFF, ""


def _headers(names: tuple[str, ...]) -> tuple[Any, str]:
    passed = tuple(name for name in names if is_passable(name))[:MOST_HEADERS]
    left = [name for name in names if name not in passed]
    return passed, f"without {', '.join(left)}, which no app can get" if left else ""


_READERS: Mapping[str, _Reader] = {
    "app_init_timeout": _start,
    "app_idle_timeout": _time,
    "app_session_timeout": _time,
    "sockjs_heartbeat_delay": _delay(25),
    "sockjs_disconnect_delay": _delay(5),
    "simple_scheduler": _sessions,
    "utilization_scheduler": _utilization,
    "frame_options": _frame_options,
    "set_header": _set_header,
    "whitelist_headers": _headers,
    "bookmark_state_dir": _bookmarks,
}
