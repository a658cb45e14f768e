"""Templates in Handlebars, beside handlebars.js itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.pages.handlebars import BadTemplate, Template
from chalicelib.pages.handlebars.reading import DEEPEST
from tests.chalicelib.pages.peer import Peer
from tests.support.effort import amount


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.end()


VALUES: dict[str, Any] = {
    "title": "Not <found> & 'gone' `=\"",
    "empty": "",
    "zero": 0,
    "count": 12,
    "half": 1.5,
    "yes": True,
    "no": False,
    "nothing": None,
    "none": [],
    "a": {"b": {"c": "deep"}, "title": "inner"},
    "dirs": [{"name": "one", "url": "one/"}, {"name": "two", "url": "tw%20o/", "title": "own"}],
    "words": ["x", "y<", ""],
    "nested": [[1, 2], [], [3, 4]],
}

CASES = [
    "{{title}} {{{title}}} {{&title}} {{ title }} {{~title~}} .",
    "{{zero}}{{count}}{{half}}{{yes}}{{no}}{{nothing}}{{gone}}{{a}}{{words}}{{none}}{{nested}}",
    "{{a.b.c}} {{a/b/c}} {{a.x.y}} {{words.length}} {{words.[1]}} {{a.[b].c}} {{this.title}}",
    "{{#if title}}yes{{else}}no{{/if}}",
    "{{#if none}}yes{{else}}no{{/if}}{{#if zero}}yes{{^}}no{{/if}}",
    "{{#if no}}1{{else if nothing}}2{{else if yes}}3{{else}}4{{/if}}",
    "{{#unless no}}shown{{else}}hidden{{/unless}}{{#unless a}}shown{{else}}hidden{{/unless}}",
    "{{#each dirs}}{{@index}}{{@first}}{{@last}}{{name}}{{../count}}{{title}}{{else}}none{{/each}}",
    "{{#each none}}x{{else}}none{{/each}}{{#each gone}}x{{else}}none{{/each}}",
    "{{#each a}}{{@key}}={{this}};{{/each}}",
    "{{#each nested}}[{{#each this}}{{.}}{{@index}}{{/each}}]{{/each}}",
    "{{#each dirs as |dir at|}}{{at}}{{dir.name}}{{#if dir.title}}{{dir.title}}{{/if}}{{/each}}",
    "{{#with a}}{{b.c}}{{title}}{{../title}}{{@root.count}}{{else}}none{{/with}}",
    "{{#with nothing}}x{{else}}none{{/with}}{{#with a as |it|}}{{it.title}}{{/with}}",
    "{{#dirs}}{{name}}{{title}}{{/dirs}}{{#none}}x{{/none}}{{^none}}none{{/none}}{{#a}}{{title}}{{/a}}",
    "{{#yes}}y{{title}}{{/yes}}{{#no}}n{{/no}}{{^no}}none{{/no}}{{^a}}x{{else}}y{{/a}}{{#title}}t{{/title}}",
    "{{#zero}}zero{{/zero}}{{#empty}}e{{/empty}}{{^gone}}g{{/gone}}{{#words}}({{this}}){{/words}}",
    "a\n{{#if title}}\n  b\n{{else}}\n  c\n{{/if}}\nd\n",
    "{{#each dirs}}\n  {{name}}\n{{/each}}\n",
    "  {{! a comment }}\nx {{!-- }} --}} y\n\t{{!-- alone --}}  \nz",
    "a {{~#if yes~}}  b  {{~else~}}  c  {{~/if~}}  d",
    "\\{{title}} {{title}} \\\\{{title}} \\{{a}} \\{{b}} text",
    "{{#if yes}}{{/if}}\n{{#if yes}} {{/if}}\n{{#if yes}}\n{{/if}}\nend",
    '{{"a literal"}}{{#if "x"}}y{{/if}}{{#if 0}}z{{/if}}{{#if true}}t{{/if}}{{#if false}}f{{/if}}',
    "{{#each dirs}}{{#if title}}{{title}}{{../title}}{{/if}}{{/each}}",
    "{{#each dirs}}{{#each ../words}}{{../name}}{{this}}{{/each}}{{/each}}",
    "{{@root.title}}{{#each words}}{{@root.count}}{{/each}}{{../title}}|{{@index}}|{{.}}",
]


@pytest.mark.parametrize("template", CASES)
def test_a_template_means_what_handlebars_js_makes_of_it(peer: Peer, template: str) -> None:
    assert Template("t", template).fill(VALUES) == peer.fill(template, VALUES)


_NAMES = (
    "title a a.b.c dirs words nested none no yes zero gone this ../title name @index @key "
    "@root.count . a.title ../../count empty"
)
# handlebars.js adds up numbers that stand side by side, hence the text around those.
_FORMS = "{{%s}} .{{{%s}}}. .{{&%s}}. {{~%s}} {{%s~}} .{{~{%s}~}}. {{!%s}} {{!--%s--}}"
_names = st.sampled_from(_NAMES.split())
_texts = st.sampled_from(
    ["x", " ", "\n", "\n\n", "  \n", "\n  ", "a\nb", "\t", "", "}", "{", "\r\n", "<b>", "é"]
)
_shows = st.builds(lambda name, form: form % name, _names, st.sampled_from(_FORMS.split()))


def _block(draw: tuple[str, str, str, str, str, str]) -> str:
    helper, name, left, right, other, inner = draw
    open_, close = ("#" + helper + " ", helper) if helper else ("#", name)
    if not helper and (not name.isalpha() or name == "this"):
        open_, close = "#if ", "if"
    first = "{{" + left + open_ + name + right + "}}" + inner
    return (
        first
        + (f"{{{{{left}else{right}}}}}" + other if other is not None else "")
        + ("{{" + right + "/" + close + left + "}}")
    )


_templates = st.recursive(
    _texts | _shows,
    lambda inner: st.lists(inner, max_size=4).map("".join) | st.tuples(
        st.sampled_from(["if", "unless", "each", "with", ""]), _names, st.sampled_from(["", "~"]),
        st.sampled_from(["", "~"]), st.none() | inner, inner,
    ).map(_block),
    max_leaves=12,
)  # fmt: skip


@settings(
    max_examples=amount(5000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(template=_templates)
def test_any_template_means_what_handlebars_js_makes_of_it(peer: Peer, template: str) -> None:
    # handlebars.js shows the else of a null context as "[object Object]".
    values = {name: value for name, value in VALUES.items() if value is not None}
    theirs = peer.fill(template, values)
    try:
        ours = Template("t", template).fill(values)
    except BadTemplate:
        assert theirs is None
        return
    assert ours == theirs


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("a\n{{#if x}}", "template t: line 2: {{#if x}} is never closed; close it with {{/if}}"),
        ("{{/if}}", "line 1: {{/if}} closes a block that is not open there"),
        ("{{else}}", "{{else}} stands in no block"),
        ("{{#if a}}{{else}}{{else}}{{/if}}", "{{else}} comes after the last else of its block"),
        ("\n\n{{title", "line 3: {{title is never closed; close it with }}"),
        ("{{#if}}{{/if}}", "{{#if}} says nothing to decide by; write {{#if name}}"),
        ("{{#mine x}}{{/mine}}", "uses the helper mine; there are if, unless, each, with"),
        ("{{mine x}}", "uses the helper mine; there are none but those of blocks"),
        ("{{> part}}", "is a partial or a decorator, which is not supported"),
        ("{{x (y)}}", "has a subexpression, which is not supported"),
        ("{{{{raw}}}}", "begins a raw block, which is not supported"),
        ("{{a.1}}", "has 'a.1'; write [1] for an item by its number"),
        ("{{a..b}}", "has 'a..b', which is not the name of a value"),
        ("{{}}", "says nothing; write the name of a value"),
        ("{{#if a}}" * (DEEPEST + 1), f"is nested more than {DEEPEST} deep"),
    ],
)
def test_a_wrong_template_is_named_with_its_line_and_what_is_wrong(source: str, says: str) -> None:
    with pytest.raises(BadTemplate) as caught:
        Template("t", source)
    assert says in str(caught.value)


def test_a_strict_template_misses_what_is_not_there() -> None:
    assert Template("t", "{{gone}}").fill({}) == ""
    with pytest.raises(BadTemplate, match="template t: no value is named gone"):
        Template("t", "{{gone}}", strict=True).fill({})


def test_lists_in_lists_cannot_fill_the_memory() -> None:
    values: Any = {"x": [1] * 9, "y": "y" * 99}
    source = "{{#each x}}" * 8 + "{{@root.y}}" + "{{/each}}" * 8
    with pytest.raises(BadTemplate, match="more than 4,000,000 characters"):
        Template("t", source.replace("each x", "each @root.x")).fill(values)


@given(st.text(alphabet="{}#^/&!~->\\ ifelsawthou.@|\n\"'", max_size=60))
def test_no_text_breaks_the_reader(source: str) -> None:
    try:
        Template("t", source).fill(VALUES)
    except BadTemplate as error:
        assert str(error).startswith("template t: ")
