"""``python -m infra.settings_page``: write ``docs/settings.md`` from the declarations of settings.

The meaning of a setting is the docstring below its field; the rest is its declaration
(:mod:`chalicelib.configuration.declaring`).
"""

import ast
import dataclasses
import inspect
import itertools
import re
import textwrap
import types
from collections import abc
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from chalicelib.configuration.app_settings import AppSettings
from chalicelib.configuration.declaring import ANYWHERE, Declaration, LayerKind, declaration
from chalicelib.configuration.environment import variable_of
from chalicelib.configuration.rules import plain
from infra.aws.settings import Stage
from infra.local.settings import LocalSettings

PAGE = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
_INTRODUCTION = """\
# Settings

<!-- Made by `python -m infra.settings_page` from the declarations; do not edit. -->

- [Settings of an app](#settings-of-an-app): for authors
- [Settings of a stage](#settings-of-a-stage): for operators, on AWS
- [Settings of the local stack](#settings-of-the-local-stack): for operators, on one machine

## Settings of an app

`sheen configure /my-app` shows the value of each setting and where it comes from. Times are in
seconds. Settings have the names of Shiny Server's directives where there is one.

A setting may stand in several layers. The nearest layer wins:

| layer, from the farthest to the nearest | who writes it |
| --- | --- |
| `default` | Sheen |
| `deployment`: `[app_defaults]` of the stage, locally `SHEEN_APP_DEFAULTS` | the operator |
| `server` and `location` of a configuration | the operator |
| `bundle`: `sheen.toml` of the active version | the author |
| `app`: `sheen configure` | the author |

A nearer list replaces a farther one. Tables (`environment`, `secrets`, `data`) are merged entry by
entry. If a layer says how sessions are spread over R processes (`simple_scheduler`,
`utilization_scheduler`, or `max_connections` with its two companions), farther layers' other ways
to say it do not count. A value above a ceiling of the deployment is cut to it.
"""
_STAGE = """\
## Settings of a stage

A stage is a file `infra/aws/stages/NAME.toml`. `full.toml` shows every setting. For a mistake, the
deployment names the file, the key, the value and the rule.
"""
_LOCAL = """\
## Settings of the local stack

`sheen local` reads them from environment variables.
"""
_WIDTH = 100
_TYPES = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    tuple: "a list",
    abc.Mapping: "a table",
}


def page() -> str:
    """Return the page. Pure, except that it reads the sources of the declarations."""
    parts = [_INTRODUCTION, *_apps(), _STAGE, *_tables(Stage, ""), _LOCAL, _local()]
    return "\n".join(parts)


def _apps() -> Iterable[str]:
    meanings = _meanings(AppSettings)
    sections: dict[str, list[tuple[str, ...]]] = {}
    for one in fields(AppSettings):
        said = declaration(one)
        assert said is not None and said.rule is not None
        example = f", as in `{one.name}={said.rule.example}`" if said.rule.example else ""
        sections.setdefault(said.section, []).append(
            (
                f"`{one.name}`",
                _default(one),
                _cell(said.rule.words) + (example if said.rule.example != _plain(one) else ""),
                _meaning(meanings, one.name, said) + _where(said) + _directive(one.name, said),
            )
        )
    for title, rows in sections.items():
        yield f"### {title}\n\n{_table(('setting', 'default', 'values', 'meaning'), rows)}"


def _where(said: Declaration) -> str:
    if said.within == ANYWHERE:
        return ""
    words = ", ".join(f"`{kind}`" for kind in LayerKind if kind in said.within)
    return f" Layers: {words}." + ("" if said.for_authors else " Only operators may set it.")


def _directive(name: str, said: Declaration) -> str:
    if not said.directive:
        return ""
    return " As in Shiny Server." if said.directive == name else f" `{said.directive}` there."


def _tables(cls: type, path: str) -> Iterable[str]:
    """Return the table of a dataclass of a stage's settings, and those of the ones below it."""
    meanings, rows, below = _meanings(cls), [], []
    for one in fields(cls):
        inner = _dataclass_in(one.type)
        if inner is not None:
            below.append((inner, f"{path}.{one.name}" if path else one.name))
        elif path or one.name != "name":  # the stage's name is that of its file
            said = declaration(one) or Declaration()
            words = said.rule.words if said.rule is not None else _type(one.type)
            rows.append(
                (f"`{one.name}`", _default(one), _cell(words), _meaning(meanings, one.name, said))
            )
    title = f"### {path or 'The stage itself'}"
    about = textwrap.fill(_markdown(inspect.getdoc(cls) or ""), _WIDTH) if path else ""
    table = _table(("setting", "default", "it must be", "meaning"), rows)
    yield "\n\n".join(part for part in (title, about, table) if part)
    for inner, name in below:
        yield from _tables(inner, name)


def _local() -> str:
    meanings = _meanings(LocalSettings)
    rows = []
    for one in fields(LocalSettings):
        said = declaration(one)
        if said is not None:
            words = said.rule.words if said.rule is not None else _type(one.type)
            meaning = _meaning(meanings, one.name, said)
            rows.append((f"`{variable_of(one.name)}`", _default(one), _cell(words), meaning))
    return _table(("variable", "default", "it must be", "meaning"), rows)


def _meanings(cls: type) -> Mapping[str, str]:
    """Return the docstrings below the fields of a dataclass, by the fields' names."""
    tree = ast.parse(inspect.cleandoc(inspect.getsource(cls)))
    [body] = [one.body for one in tree.body if isinstance(one, ast.ClassDef)]
    found: dict[str, str] = {}
    for line, after in itertools.pairwise(body):
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            match after:
                case ast.Expr(ast.Constant(str(text))):
                    found[line.target.id] = inspect.cleandoc(text)
    return found


def _meaning(meanings: Mapping[str, str], name: str, said: Declaration) -> str:
    more = f" See [{_title(said.see)}]({said.see})." if said.see else ""
    return _cell(_markdown(meanings[name])) + more


def _title(link: str) -> str:
    """Return the heading that a link leads to; raise KeyError if there is none."""
    name, _, anchor = link.partition("#")
    headings = re.findall(r"^#+ (.+)$", PAGE.with_name(name).read_text(), re.MULTILINE)
    anchors: dict[str, str] = {
        re.sub(r"[^a-z0-9 -]", "", one.lower()).replace(" ", "-"): one for one in headings
    }
    return anchors[anchor]


def _markdown(text: str) -> str:
    """Turn a docstring into Markdown on one line.

    >>> _markdown("Use ``size``,\\nnot :attr:`zone_names`.")
    'Use `size`, not `zone_names`.'
    """
    joined = " ".join(text.split())
    return re.sub(r":[a-z]+:(?=`)", "", joined.replace("``", "`"))


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("<", "&lt;").replace("*", r"\*")


def _plain(one: "dataclasses.Field[Any]") -> str:
    if one.default is not dataclasses.MISSING:
        return plain(one.default)
    if one.default_factory is not dataclasses.MISSING:
        return plain(one.default_factory())
    return ""


def _default(one: "dataclasses.Field[Any]") -> str:
    if one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING:
        return "needed"
    text = _plain(one)
    return f"`{text}`" if text else ""


def _type(kind: Any) -> str:
    return _TYPES[get_origin(kind) or kind]


def _dataclass_in(kind: Any) -> type | None:
    """Return the dataclass that a field holds, if it holds one, or a list of them."""
    if get_origin(kind) in (types.UnionType, Union, tuple):
        return next(filter(None, map(_dataclass_in, get_args(kind))), None)
    return kind if isinstance(kind, type) and is_dataclass(kind) else None


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(page())
