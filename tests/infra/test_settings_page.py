"""docs/settings.md says what the declarations say."""

import re
from dataclasses import fields

import pytest

from chalicelib.configuration.app_settings import DECLARED, AppSettings, read
from chalicelib.configuration.layers import resolve
from chalicelib.configuration.rules import plain, words_to
from infra import settings_page
from infra.aws import settings as stage


def test_the_committed_page_is_what_the_declarations_make() -> None:
    made = settings_page.page()
    assert settings_page.PAGE.read_text() == made, "run: python -m infra.settings_page"
    rows = set(re.findall(r"^\| `(\w+)` \|", made, re.MULTILINE))
    assert rows >= set(DECLARED)
    for table in (stage.Network, stage.Compute, stage.Edge, stage.Waf, stage.Rates):
        shown = {one.name for one in fields(table) if one.name not in ("existing", "waf")}
        assert rows >= shown


@pytest.mark.parametrize("name", DECLARED)
def test_examples_and_defaults_keep_the_settings_own_rules(name: str) -> None:
    said = DECLARED[name]
    assert said.rule is not None and said.section and said.within
    [(_, example)] = words_to(f"{name}={said.rule.example}").items()
    read(name, example)
    default = getattr(AppSettings(), name)
    if default is not None:
        assert read(name, plain(default)) == default


def test_no_two_settings_answer_one_directive() -> None:
    directives = [said.directive for said in DECLARED.values() if said.directive]
    assert len(directives) == len(set(directives))
    assert resolve([]).settings == AppSettings()
