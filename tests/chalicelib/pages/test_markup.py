"""The template language: what it fills, and how it refuses a template that is wrong."""

import pytest

from chalicelib.pages.markup import BadTemplate, Template, include


def test_sections_show_once_for_a_text_and_once_for_each_item() -> None:
    template = Template("t", "{{#a}}[{{a}}]{{/a}}{{^a}}none{{/a}}{{#many}}({{n}}{{a}}){{/many}}")
    assert template.fill({"a": "x", "many": [{"n": 0}, {"n": 1, "a": "y"}]}) == "[x](0x)(1y)"
    assert template.fill({"a": "", "many": []}) == "none"
    assert template.fill({"a": None, "many": []}) == "none"


def test_a_value_is_not_read_as_a_template() -> None:
    assert Template("t", "{{a}}{{b}}").fill({"a": "{{b}}", "b": "{{#a}}"}) == "{{b}}{{#a}}"


def test_included_files_come_before_values_and_may_include() -> None:
    files = {"one": "1{{> two}}", "two": "2"}
    assert include("{{> one}}-{{>two}}", files.__getitem__) == "12-2"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("{{nobody}}", "template t: no value is named nobody; there are: a, many"),
        ("{{#a}}", "section a is never closed"),
        ("{{/a}}", "closes a section that is not open"),
        ("{{#a}}{{#many}}{{/a}}{{/many}}", "closes a section that is not open"),
        ("{{many}}", "many is a list; open it with {{#many}}"),
    ],
)
def test_a_wrong_template_is_named_with_what_is_wrong(source: str, says: str) -> None:
    with pytest.raises(BadTemplate) as caught:
        Template("t", source).fill({"a": "x", "many": [{"n": 1}]})
    assert says in str(caught.value)
