"""How values of settings are read, as people write them in a command, in TOML or in JSON. Pure."""

import re
import shlex
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

_LONGEST_NAME = 60
"""Characters of a name that are examined and shown."""


class Rule(NamedTuple):
    """The values that one setting may have."""

    read: Callable[[Any], Any]
    """Return the parsed value; raise TypeError or ValueError.

    If only one entry of a map is wrong, raise :class:`BadEntry`.
    """
    words: str
    """The allowed values in words, to follow "it is" or "it must be"."""
    example: str = ""
    """An example, as it follows ``NAME=`` on a command line."""

    def allows(self, value: Any) -> bool:
        """Return whether the value may be given."""
        try:
            self.read(value)
        except (TypeError, ValueError):
            return False
        return True


def that(holds: Callable[[Any], bool], words: str, example: str = "") -> Rule:
    """Return the rule for values of the right type for which ``holds`` is true."""

    def read(value: Any) -> Any:
        if not holds(value):
            raise ValueError
        return value

    return Rule(read, words, example)


LONGEST_SHOWN = 200
"""Characters of a value that a message shows."""


def shown(value: Any) -> str:
    """Return a value as a message shows it, however large or deeply nested it is."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an int of thousands of digits, or deeply nested lists
        return f"a value of type {type(value).__name__} that is too large to show"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


class BadEntry(ValueError):
    """One entry of a map is wrong.

    The message is the entry's name only, because values may be confidential.
    """


def no_setting(name: str, known: Collection[str]) -> str:
    """Say that a setting does not exist, and name the likely one, or else all that exist.

    >>> no_setting("app_idle_timout", ["size", "app_idle_timeout"])
    'there is no setting "app_idle_timout"; did you mean app_idle_timeout?'
    """
    shown = name[:_LONGEST_NAME]
    near = nearest(name, known)
    rest = f"did you mean {near}?" if near else f"the settings are {', '.join(known)}"
    return f'there is no setting "{shown}"; {rest}'


def nearest(name: str, known: Collection[str]) -> str | None:
    """Return the name that was most likely meant, or None if none is similar.

    For an entry of a map, as in ``environment.TZ``, return the map's name.
    """
    from difflib import get_close_matches  # imported here, since only misspelt names need it

    whole = name[:_LONGEST_NAME].lower().replace("-", "_")
    found = get_close_matches(whole, known, 1, 0.7) or get_close_matches(
        whole.partition(".")[0], known, 1, 0.7
    )
    return found[0] if found else None


def number(value: Any, low: float, high: float, kind: type[int] | type[float]) -> float:
    """Read a number from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    found = kind(value) if isinstance(value, str) else value
    if not low <= found <= high or kind(found) != found:
        raise ValueError
    return kind(found)


def seconds(low: float, high: float, example: str) -> Rule:
    return Rule(
        lambda value: number(value, low, high, float),
        f"a number of seconds from {low:g} to {high:,.0f}",
        example,
    )


def count(low: int, high: int, example: str) -> Rule:
    return Rule(
        lambda value: number(value, low, high, int), f"a whole number from {low} to {high}", example
    )


def share(example: str) -> Rule:
    return Rule(lambda value: number(value, 0, 1, float), "a share from 0 to 1", example)


_SWITCH = {"true": True, "false": False, "on": True, "off": False, "yes": True, "no": False}


def switch(example: str) -> Rule:
    def read(value: Any) -> bool:
        if isinstance(value, str):
            if value.strip().lower() not in _SWITCH:
                raise ValueError
            return _SWITCH[value.strip().lower()]
        if not isinstance(value, bool):
            raise TypeError
        return value

    return Rule(read, "true or false", example)


def choice(names: tuple[str, ...]) -> Rule:
    def read(value: Any) -> str:
        if value not in names:
            raise ValueError
        return str(value)

    return Rule(read, f"one of {', '.join(names)}", names[0])


def text(pattern: str, words: str, example: str) -> Rule:
    def read(value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ValueError
        return value

    return Rule(read, words, example)


def names_to(name: str, value: str, words: str, example: str, most: int) -> Rule:
    """Return the rule for a map of names to values: a TOML table, or ``A=1 B=2`` in a command.

    ``most`` is the number of characters allowed altogether.
    """

    def read(values: Any) -> dict[str, str]:
        pairs = words_to(values) if isinstance(values, str) else values
        if not isinstance(pairs, Mapping):
            raise TypeError
        for key, each in pairs.items():
            if not isinstance(key, str) or not re.fullmatch(name, key):
                raise BadEntry(str(key)[:200])
            if not isinstance(each, str) or not re.fullmatch(value, each, re.DOTALL):
                raise BadEntry(key)
        if sum(len(key) + len(each) for key, each in pairs.items()) > most:
            raise ValueError
        return dict(pairs)

    return Rule(read, f"{words}, at most {most:,} characters together", example)


LONGEST_NAMES = 16_384
"""Characters of a list of names."""


def names_of(what: str, example: str) -> Rule:
    """Return the rule for a list of names: a list of TOML, or words quoted as for a shell."""

    def read(value: Any) -> tuple[str, ...]:
        if isinstance(value, str):
            if len(value) > LONGEST_NAMES:
                raise ValueError
            value = shlex.split(value)
        if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
            raise TypeError
        if sum(map(len, value)) > LONGEST_NAMES or not all(one.strip() for one in value):
            raise ValueError
        return tuple(dict.fromkeys(value))

    words = f"a list of names of {what}, at most {LONGEST_NAMES:,} characters together"
    return Rule(read, words, example)


def plain(value: object) -> str:
    """Return a value as it is written on a command line; every rule reads it back."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.15g}"
        case tuple() | list():
            return shlex.join(plain(part) for part in value)
        case Mapping():
            return shlex.join(f"{name}={plain(entry)}" for name, entry in value.items())
        case _:
            return str(value)


def words_to(text: str) -> dict[str, str]:
    """Read ``NAME=VALUE`` words, quoted as for a shell; raise ValueError.

    >>> words_to("size=small 'title=Sales, by month'")
    {'size': 'small', 'title': 'Sales, by month'}
    """
    return dict(word.split("=", 1) for word in shlex.split(text))
