"""Reading a dataclass of settings from environment variables."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar, get_origin

from chalicelib.configuration.arn import Arn
from chalicelib.configuration.declaring import Declaration, declaration
from chalicelib.errors import SettingMissing

T = TypeVar("T")
PREFIX = "SHEEN_"
_SWITCH = {"true": True, "false": False}

_READ: Mapping[Any, tuple[Callable[[str], Any], str]] = {
    str: (str, "text"),
    int: (int, "a whole number"),
    float: (float, "a number"),
    bool: (_SWITCH.__getitem__, "true or false"),
    tuple: (lambda text: tuple(text.split()), "a list, separated by blanks"),
    Arn: (Arn.parse, "an ARN"),
}


def read(cls: type[T], environment: Mapping[str, str]) -> T:
    """Read the fields that :func:`declaring.setting` declares.

    Each is in the variable ``SHEEN_<FIELD>``. An empty variable counts as none. Raise
    :class:`SettingMissing` that names the variable and its rule.
    """
    values: dict[str, Any] = {}
    for one in fields(cls):  # type: ignore[arg-type]  # a dataclass
        said = declaration(one)
        if said is None:
            continue
        variable = variable_of(one.name)
        text = environment.get(variable, "")
        optional = one.default is not MISSING or one.default_factory is not MISSING
        if text:
            values[one.name] = _value(one.type, said, variable, text)
        elif not optional and variable not in environment:
            raise SettingMissing(
                f'environment variable {variable} is not set; `eval "$(sheen env)"` sets it'
            )
        elif not optional:
            values[one.name] = _value(one.type, said, variable, text)
    return cls(**values)


def variable_of(name: str) -> str:
    """Return the name of a setting's variable."""
    return PREFIX + name.upper()


def _value(kind: Any, said: Declaration, variable: str, text: str) -> Any:
    try:
        if said.rule is not None:
            return said.rule.read(text)
        return _READ[get_origin(kind) or kind][0](text)
    except (KeyError, ValueError):
        words = said.rule.words if said.rule is not None else _READ[get_origin(kind) or kind][1]
        raise SettingMissing(
            f"environment variable {variable} is {text!r}; it must be {words}"
        ) from None
