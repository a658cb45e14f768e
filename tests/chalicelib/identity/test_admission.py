"""Admission: nobody gets in whom the rules do not let in."""

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.identity.admission import (
    GroupFilter,
    Rules,
    Verdict,
    Visibility,
    Visitor,
    counted,
    is_listed,
    judge,
)
from chalicelib.identity.names import Role

NAMES = st.sampled_from(["kim", "tom", "Kim", "sales"])
LISTS = st.lists(NAMES, max_size=3).map(tuple)
REQUIRED = st.lists(NAMES | st.sampled_from(["*", "**"]), max_size=3).map(tuple)
RULES = st.builds(Rules, st.sampled_from(Visibility), REQUIRED, LISTS, LISTS, LISTS)
VISITORS = st.builds(Visitor, NAMES, LISTS, st.sampled_from(Role), st.booleans())
OPEN = (Visibility.PUBLIC, Visibility.UNLISTED)


@given(RULES, st.none() | VISITORS)
def test_who_is_not_signed_in_sees_open_apps_only(rules: Rules, visitor: Visitor | None) -> None:
    anonymous = judge(rules, None)
    assert anonymous in (Verdict.ADMITTED, Verdict.SIGN_IN)
    if anonymous is Verdict.ADMITTED:
        assert rules.visibility in OPEN
        assert not rules.required_group
        assert not rules.required_user or "**" in rules.required_user
        assert judge(rules, visitor) is Verdict.ADMITTED


@given(RULES, VISITORS)
def test_who_is_let_in_is_named_or_nobody_is(rules: Rules, visitor: Visitor) -> None:
    verdict = judge(rules, visitor)
    named = visitor.name in (*rules.required_user, *rules.viewers, *rules.collaborators)
    in_group = bool(set(visitor.groups) & set(rules.required_group))
    if visitor.role is Role.ADMIN or named or in_group or "*" in rules.required_user:
        assert verdict is Verdict.ADMITTED
    elif rules.visibility is Visibility.PRIVATE or rules.required_group:
        assert verdict is not Verdict.ADMITTED
    elif set(rules.required_user) - {"*", "**"} and "**" not in rules.required_user:
        assert verdict is Verdict.REFUSED
    if verdict is Verdict.GROUPS_UNKNOWN:
        assert rules.required_group
        assert not visitor.groups_known


@given(RULES, VISITORS)
def test_a_role_or_a_group_more_never_shuts_anybody_out(rules: Rules, visitor: Visitor) -> None:
    if judge(rules, visitor) is Verdict.ADMITTED:
        more = visitor._replace(groups=(*visitor.groups, "more"), role=Role.ADMIN)
        assert judge(rules, more) is Verdict.ADMITTED


@given(RULES, st.none() | VISITORS)
def test_the_list_shows_nothing_that_cannot_be_opened(
    rules: Rules, visitor: Visitor | None
) -> None:
    if is_listed(rules, visitor):
        assert judge(rules, visitor) is Verdict.ADMITTED
        assert rules.visibility is not Visibility.UNLISTED


def test_names_are_compared_exactly() -> None:
    rules = Rules(required_user=("kim",))
    assert judge(rules, Visitor("kim")) is Verdict.ADMITTED
    for other in ("KIM", "kim ", "k\u0130m", "\uff4bim", "*", "**"):
        assert judge(rules, Visitor(other)) is Verdict.REFUSED


def test_two_stars_let_nobody_into_a_private_app() -> None:
    rules = Rules(Visibility.PRIVATE, required_user=("**",))
    assert judge(rules, None) is Verdict.SIGN_IN
    assert judge(rules, Visitor("**")) is Verdict.REFUSED


def test_a_group_counts_if_every_filter_keeps_it() -> None:
    groups = ("sales-eu", "sales-us", "it")
    keep = GroupFilter("include_glob", ("sales-*",))
    assert counted(groups, [keep]) == ("sales-eu", "sales-us")
    assert counted(groups, [keep, GroupFilter("exclude", ("sales-us",))]) == ("sales-eu",)
    assert counted(groups, [GroupFilter("include_regex", ("^it$",))]) == ("it",)
    assert counted(groups, []) == groups
