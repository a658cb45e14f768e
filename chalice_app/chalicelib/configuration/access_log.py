"""Lines of an access log, in the formats of Shiny Server's `access_log` (morgan's). Pure.

A format is one of :data:`FORMATS` by name, or a text with tokens of its own, such as
``:method :url :status :response-time[0] ms :req[accept-language]``. What an entry does not have is
written as ``-``. A control character in a value is written as an escape, so that no visitor can
forge a line.

>>> entry = LogEntry("GET", "/hello/", 200, began=1796032571.0, seconds=0.0123, length=512)
>>> Format.parse("tiny").line(entry)
'GET /hello/ 200 512 - 12.300 ms'
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from chalicelib.configuration.errors import BadAccessLogFormat

_COMMON = (
    ':remote-addr - :remote-user [:date[clf]] ":method :url HTTP/:http-version" :status '
    ":res[content-length]"
)
_DEV = "\x1b[0m:method :url \x1b[{colour}m:status\x1b[0m :response-time ms - "
FORMATS: Mapping[str, str] = {
    "default": f'{_COMMON} ":referrer" ":user-agent"',
    "combined": f'{_COMMON} ":referrer" ":user-agent"',
    "common": _COMMON,
    "short": (
        ":remote-addr :remote-user :method :url HTTP/:http-version :status "
        ":res[content-length] - :response-time ms"
    ),
    "tiny": ":method :url :status :res[content-length] - :response-time ms",
    "dev": f"{_DEV}:res[content-length]\x1b[0m",
}
"""The formats by name. In "dev", the status has the colour of its class."""

_TOKEN = re.compile(r":([-\w]{2,})(?:\[([^\]]+)\])?", re.ASCII)
_CONTROLS = re.compile(r'["\\\x00-\x1f\x7f-\x9f\u2028\u2029]')
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One answered request, or one socket that has ended."""

    method: str
    url: str
    """Path and query, as the visitor sent them."""
    status: int | None
    """None if the visitor left before the answer."""
    began: float
    """Unix time at which the answer ended; morgan dates a line by that."""
    seconds: float | None = None
    """How long the answer took, or how long a socket was open."""
    length: int | None = None
    """Bytes of the body; None if they were not counted in advance."""
    address: str = ""
    user: str = ""
    http: str = "1.1"
    request: Mapping[str, str] = field(default_factory=dict)
    """Headers by lower-case name."""
    response: Mapping[str, str] = field(default_factory=dict)


class _Token(NamedTuple):
    name: str
    argument: str | None


class Format(NamedTuple):
    """A format, read once: texts and tokens in turn."""

    parts: tuple[str | _Token, ...]

    @classmethod
    def parse(cls, text: str) -> Format:
        """Read the name of a format, or a format; raise :class:`BadAccessLogFormat`."""
        source = FORMATS.get(text, text)
        parts: list[str | _Token] = []
        end = 0
        for found in _TOKEN.finditer(source):
            if found[1] not in _TOKENS:
                raise BadAccessLogFormat(
                    f"access_log format {text!r}: there is no token :{found[1]}; there are "
                    f"{', '.join(':' + name for name in sorted(_TOKENS))}"
                )
            parts += [source[end : found.start()], _Token(found[1], found[2])]
            end = found.end()
        parts.append(source[end:])
        return cls(tuple(part for part in parts if part))

    def line(self, entry: LogEntry) -> str:
        """Return an entry's line, without a newline."""
        return "".join(
            part.replace("{colour}", _colour(entry.status))
            if isinstance(part, str)
            else _shown(_TOKENS[part.name](entry, part.argument))
            for part in self.parts
        )


def _shown(value: str | None) -> str:
    if not value:
        return "-"
    return _CONTROLS.sub(_escaped, value)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    if found[0] in '"\\':
        return "\\" + found[0]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _colour(status: int | None) -> str:
    return {5: "31", 4: "33", 3: "36", 2: "32"}.get(min((status or 0) // 100, 5), "0")


def _date(entry: LogEntry, form: str | None) -> str | None:
    at = datetime.fromtimestamp(entry.began, UTC)
    month = _MONTHS[at.month - 1]
    if form == "clf":
        return f"{at:%d}/{month}/{at:%Y:%H:%M:%S} +0000"
    if form == "iso":
        return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"
    if form in (None, "web"):
        return f"{_DAYS[at.weekday()]}, {at:%d} {month} {at:%Y %H:%M:%S} GMT"
    return None


def _milliseconds(entry: LogEntry, digits: str | None) -> str | None:
    if entry.seconds is None:
        return None
    places = int(digits) if digits is not None and digits.isdecimal() else 3
    # Half a unit is rounded up, as JavaScript does, not to the even digit.
    exact = Decimal(entry.seconds * 1000)
    return str(exact.quantize(Decimal(1).scaleb(-min(places, 9)), ROUND_HALF_UP))


def _response(entry: LogEntry, name: str | None) -> str | None:
    if name is None:
        return None
    if name.lower() == "content-length":
        return None if entry.length is None else str(entry.length)
    return entry.response.get(name.lower())


_TOKENS: Mapping[str, Callable[[LogEntry, str | None], str | None]] = {
    "date": _date,
    "http-version": lambda entry, _: entry.http,
    "method": lambda entry, _: entry.method,
    "referrer": lambda entry, _: entry.request.get("referer") or entry.request.get("referrer"),
    "remote-addr": lambda entry, _: entry.address,
    "remote-user": lambda entry, _: entry.user,
    "req": lambda entry, name: entry.request.get(name.lower()) if name else None,
    "res": _response,
    "response-time": _milliseconds,
    "status": lambda entry, _: None if entry.status is None else str(entry.status),
    "total-time": _milliseconds,
    "url": lambda entry, _: entry.url,
    "user-agent": lambda entry, _: entry.request.get("user-agent"),
}
