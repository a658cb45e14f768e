"""An app's settings, by the names of Shiny Server's directives where there is one. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from chalicelib.apps.errors import BadAppSetting

PROTOCOLS = (
    "websocket",
    "xdr-streaming",
    "xhr-streaming",
    "iframe-eventsource",
    "iframe-htmlfile",
    "xdr-polling",
    "xhr-polling",
    "iframe-xhr-polling",
    "jsonp-polling",
)
"""The transports that ``disable_protocols`` may name."""


@dataclass(frozen=True, slots=True)
class AppSettings:
    """How one app is run. Times are in seconds."""

    app_init_timeout: float = 60.0
    """How long R may take until the app answers (FACTS S10)."""
    app_idle_timeout: float = 5.0
    """How long an R process without sessions is kept; 0: for good."""
    instance_idle_timeout: float = 900.0
    """How long an instance without sessions is kept; 0: for good."""
    app_session_timeout: float = 0.0
    """How long a session may be idle; 0: for good."""
    simple_scheduler: int = 100
    """Sessions that one instance takes."""
    max_instances: int = 1
    """Instances of one version at most."""
    sanitize_errors: bool = True
    """Whether visitors are spared what R said when it failed."""
    sockjs_heartbeat_delay: float = 25.0
    sockjs_disconnect_delay: float = 5.0
    reconnect: bool = True
    """Whether a session outlives its connection."""
    reconnect_grace: float = 15.0
    """How long it does (FACTS S7)."""
    disable_websockets: bool = False
    disable_protocols: tuple[str, ...] = ()

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> "AppSettings":
        """Read the settings of an app's row; raise :class:`BadAppSetting` that names the setting, its rule and an example."""
        known = {name: _RULES[name] for name in (field.name for field in fields(cls))}
        parsed: dict[str, Any] = {}
        for name, value in values.items():
            rule = known.get(name)
            if rule is None:
                raise BadAppSetting(f'there is no setting "{name}"; the settings are {", ".join(sorted(known))}')
            try:
                parsed[name] = rule.read(value)
            except (TypeError, ValueError):
                raise BadAppSetting(f"setting {name} is {value!r}; it is {rule.words}, as in {name}={rule.example}") from None
        return cls(**parsed)


class _Rule(NamedTuple):
    read: Callable[[Any], Any]
    words: str
    example: str


def _number(value: Any, low: float, high: float, kind: type[int] | type[float]) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    number = kind(value) if isinstance(value, str) else value
    if not low <= number <= high or kind(number) != number:
        raise ValueError
    return kind(number)


def _seconds(low: float, high: float, example: str) -> _Rule:
    return _Rule(lambda value: _number(value, low, high, float), f"a number of seconds from {low:g} to {high:g}", example)


def _count(low: int, high: int, example: str) -> _Rule:
    return _Rule(lambda value: _number(value, low, high, int), f"a whole number from {low} to {high}", example)


def _read_switch(value: Any) -> bool:
    if isinstance(value, str):
        return {"true": True, "false": False, "on": True, "off": False, "yes": True, "no": False}[value.strip().lower()]
    if not isinstance(value, bool):
        raise TypeError
    return value


def _switch(example: str) -> _Rule:
    def read(value: Any) -> bool:
        try:
            return _read_switch(value)
        except KeyError:
            raise ValueError from None

    return _Rule(read, "true or false", example)


def _read_protocols(value: Any) -> tuple[str, ...]:
    names = value.split() if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or any(name not in PROTOCOLS for name in names):
        raise ValueError
    return tuple(dict.fromkeys(names))


_DAY = 86400.0

_RULES: dict[str, _Rule] = {
    # The state machine gives a start up after 300 s, the machine's share included (FACTS E1).
    "app_init_timeout": _seconds(1, 240, "60"),
    "app_idle_timeout": _seconds(0, 30 * _DAY, "5"),
    "instance_idle_timeout": _seconds(0, 30 * _DAY, "900"),
    "app_session_timeout": _seconds(0, 30 * _DAY, "3600"),
    # A seat is about 50 bytes of an instance's row, which holds 400 KB.
    "simple_scheduler": _count(1, 1000, "100"),
    "max_instances": _count(1, 100, "1"),
    "sanitize_errors": _switch("true"),
    "sockjs_heartbeat_delay": _seconds(1, 600, "25"),
    "sockjs_disconnect_delay": _seconds(1, 600, "5"),
    "reconnect": _switch("true"),
    "reconnect_grace": _seconds(0, 3600, "15"),
    "disable_websockets": _switch("false"),
    "disable_protocols": _Rule(_read_protocols, f"a list of some of {', '.join(PROTOCOLS)}", '["websocket"]'),
}
