"""Read a TOML table into a dataclass; errors name file, key, value and rule."""

import dataclasses
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from chalicelib.configuration.declaring import declaration
from chalicelib.configuration.rules import Rule, nearest
from infra.aws.errors import BadStage

T = TypeVar("T")
_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def read(cls: type[T], table: Mapping[str, Any], file: str, key: str = "") -> T:
    """Return ``table`` as a ``cls``, a dataclass.

    ``key`` is the position of the table in the file. Raise :class:`BadStage` for a value that does
    not fit.
    """
    assert is_dataclass(cls)
    types_of, known = get_type_hints(cls), {one.name: one for one in fields(cls) if one.init}
    values: dict[str, Any] = {}
    for name, value in table.items():
        path = f"{key}.{name}" if key else name
        if name not in known:
            near = nearest(name, known)
            meant = f"; did you mean {near}?" if near else ""
            raise BadStage(
                f'{file}: there is no setting "{path}"; '
                f"{f'[{key}]' if key else 'a stage'} has {', '.join(sorted(known))}{meant}"
            )
        values[name] = _value(types_of[name], value, file, path)
        rule = _rule(known[name])
        if rule is not None and not rule.allows(values[name]):
            raise BadStage(f"{file}: {path} is {value!r}; it must be {rule.words}")
    for name, one in known.items():
        if (
            name not in values
            and one.default is dataclasses.MISSING
            and one.default_factory is dataclasses.MISSING
        ):
            rule = _rule(one)
            path = f"{key}.{name}" if key else name
            raise BadStage(
                f'{file}: "{path}" is missing{f"; it must be {rule.words}" if rule else ""}'
            )
    return cls(**values)


def _rule(one: "dataclasses.Field[Any]") -> Rule | None:
    said = declaration(one)
    return said.rule if said is not None else None


def _value(kind: Any, value: Any, file: str, path: str) -> Any:
    # X | None: TOML has no null, so a value that exists is an X.
    if get_origin(kind) in (types.UnionType, Union):
        kind = next(one for one in get_args(kind) if one is not type(None))
    if is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise BadStage(f"{file}: {path} is {value!r}; it must be a table, [{path}]")
        return read(kind, value, file, path)  # type: ignore[arg-type]  # a dataclass's type
    if kind is Any:
        return value
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise BadStage(f"{file}: {path} is {value!r}; it must be a list")
        return tuple(
            _value(get_args(kind)[0], one, file, f"{path}[{index}]")
            for index, one in enumerate(value)
        )
    if get_origin(kind) is not None and issubclass(get_origin(kind), Mapping):
        if not isinstance(value, Mapping):
            raise BadStage(f"{file}: {path} is {value!r}; it must be a table, [{path}]")
        return {
            name: _value(get_args(kind)[1], one, file, f"{path}.{name}")
            for name, one in value.items()
        }
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:  # TOML's true is not a number
        raise BadStage(f"{file}: {path} is {value!r}; it must be {_NAMES[kind]}")
    return value
