"""How the arguments of directives are read. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address
from typing import Any, NamedTuple

from chalicelib.configuration.app_rules import GROUPS, PROTOCOLS


class Type(NamedTuple):
    """The values of a parameter."""

    words: str
    """The allowed values in words, to follow "must be"."""
    read: Callable[[str], Any]
    """Return the value of an argument; raise ValueError."""

    def write(self, value: Any) -> str:
        """Return a value as a file would have it."""
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value)


_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_INTEGER = re.compile(r"-?[0-9]{1,15}|0[xX][0-9a-fA-F]{1,12}")
_FLOAT = re.compile(r"-?([0-9]{1,15}(\.[0-9]{0,15})?|\.[0-9]{1,15})")
_MODE = re.compile(r"0?[0-7]{3}")


def _boolean(text: str) -> bool:
    try:
        return _TRUTH[text.lower()]
    except KeyError:
        raise ValueError from None


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError
    return int(text, 16 if text[:2] in ("0x", "0X") else 10)


def _float(text: str) -> float:
    # Shiny Server also takes "a5" and ".5abc", because its pattern is not anchored.
    if not _FLOAT.fullmatch(text):
        raise ValueError
    return float(text)


def _port(text: str) -> int:
    port = _integer(text)
    if not 0 < port < 65536:
        raise ValueError
    return port


def _address(text: str) -> str:
    if text == "*":
        return text
    address = ip_address(text)
    if getattr(address, "scope_id", None) is not None:
        raise ValueError
    return str(address)


def _mode(text: str) -> str:
    if not _MODE.fullmatch(text):
        raise ValueError
    return text


def _absolute(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError
    return text


def choice(values: Iterable[str]) -> Type:
    """Return the type of one of some words."""
    return renamed({value: value for value in values})


def renamed(values: Mapping[str, Any], *, any_case: bool = False) -> Type:
    """Return the type of one of some words, each of which stands for a value."""

    def read(text: str) -> Any:
        try:
            return values[text.lower() if any_case else text]
        except KeyError:
            raise ValueError from None

    return Type(f"one of {', '.join(values)}", read)


BOOLEAN = Type("true, yes or on, or false, no or off", _boolean)
INTEGER = Type("a whole number, such as 60", _integer)
SECONDS = Type("a whole number of seconds without a unit, such as 60", _integer)
FLOAT = Type("a number, such as 0.9", _float)
STRING = Type("any text", str)
PORT = Type("a port from 1 to 65535", _port)
ADDRESS = Type("an IP address without a port, or *", _address)
MODE = Type("a file's mode in octal digits, such as 0640", _mode)
ABSOLUTE_PATH = Type("an absolute path, such as /srv/shiny-server", _absolute)
PROTOCOL = choice((*PROTOCOLS, *GROUPS))
FRAME_OPTION = renamed(
    {name: name for name in ("allow", "deny", "sameorigin", "allow-from")}, any_case=True
)
