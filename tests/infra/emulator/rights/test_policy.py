"""The evaluator says what IAM says."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.emulator.rights.policy import (
    CannotJudge,
    NeededRight,
    Policy,
    PolicyVerdict,
    arn_matches,
    matches,
)

ACTIONS = ["s3:GetObject", "s3:PutObject", "dynamodb:GetItem"]
RESOURCES = [
    "arn:aws:s3:::b/a/1",
    "arn:aws:s3:::b/a/2",
    "arn:aws:s3:::c/a/1",
    "arn:aws:dynamodb:r:1:table/t",
]
PATTERNS = [
    *RESOURCES,
    "*",
    "arn:aws:s3:::b/*",
    "arn:aws:s3:::b/a/?",
    "arn:aws:s3:::*/1",
    "arn:aws:dynamodb:*:1:table/t",
    "arn:aws:s3:::?/a/*",
]
CONTEXTS: list[dict[str, str]] = [
    {},
    {"ecs:cluster": "arn:aws:ecs:r:1:cluster/x"},
    {"ecs:cluster": "arn:aws:ecs:r:1:cluster/y"},
]
CONDITIONS: list[dict[str, Any]] = [
    {},
    {"ArnEquals": {"ecs:cluster": "arn:aws:ecs:r:1:cluster/x"}},
    {"StringNotEquals": {"ecs:cluster": "arn:aws:ecs:r:1:cluster/x"}},
    {"StringLikeIfExists": {"ecs:cluster": ["*/x", "*/z"]}},
]

needs = st.builds(
    NeededRight, st.sampled_from(ACTIONS), st.sampled_from(RESOURCES), st.sampled_from(CONTEXTS)
)
statements = st.fixed_dictionaries(
    {
        "Sid": st.just("S"),
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "Action": st.lists(
            st.sampled_from([*ACTIONS, "s3:*", "*", "s3:Get*"]), min_size=1, max_size=3
        ),
        "Resource": st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3),
        "Condition": st.sampled_from(CONDITIONS),
    }
)
policies = st.lists(statements, max_size=5)


def verdict(policy: list[dict[str, Any]], need: NeededRight) -> PolicyVerdict:
    return Policy({"Statement": policy}).decide(need).verdict


def by_hand(statement: dict[str, Any], need: NeededRight) -> bool:
    """Whether a statement applies, worked out another way: by regular expressions on whole strings,
    and cases for the conditions.
    """

    def fits(pattern: str, text: str) -> bool:
        return (
            re.fullmatch("".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern), text)
            is not None
        )

    cluster, condition = need.context.get("ecs:cluster", "")[-1:], statement["Condition"]
    holds = {
        "": True,
        "ArnEquals": cluster == "x",
        "StringNotEquals": cluster != "x",
        "StringLikeIfExists": cluster in ("", "x", "z"),
    }[next(iter(condition), "")]
    return (
        any(fits(action, need.action) for action in statement["Action"])
        and any(fits(resource, need.resource) for resource in statement["Resource"])
        and holds
    )


@given(policies, needs)
def test_a_deny_wins_over_every_allow_and_nothing_is_allowed_unsaid(
    policy: list[dict[str, Any]], need: NeededRight
) -> None:
    effects = {statement["Effect"] for statement in policy if by_hand(statement, need)}
    wanted = (
        PolicyVerdict.DENIED
        if "Deny" in effects
        else PolicyVerdict.ALLOWED
        if effects
        else PolicyVerdict.NOT_ALLOWED
    )
    assert verdict(policy, need) is wanted


@given(policies, statements, needs)
def test_one_more_allow_takes_nothing_away_and_one_more_deny_gives_nothing(
    policy: list[dict[str, Any]], more: dict[str, Any], need: NeededRight
) -> None:
    before, after = verdict(policy, need), verdict([*policy, more], need)
    if more["Effect"] == "Allow":
        assert after is before or (before, after) == (
            PolicyVerdict.NOT_ALLOWED,
            PolicyVerdict.ALLOWED,
        )
    else:
        assert after is before or after is PolicyVerdict.DENIED


@given(policies.flatmap(lambda policy: st.tuples(st.just(policy), st.permutations(policy))), needs)
def test_the_order_of_statements_does_not_matter(
    pair: tuple[list[dict[str, Any]], list[dict[str, Any]]], need: NeededRight
) -> None:
    assert verdict(pair[0], need) is verdict(pair[1], need)


@given(st.text(alphabet="ab*?:/", max_size=8), st.text(alphabet="ab:/", max_size=8))
def test_patterns_stand_for_any_characters_and_for_one(pattern: str, text: str) -> None:
    def reference(p: str, t: str) -> bool:
        if not p:
            return not t
        if p[0] == "*":
            return any(reference(p[1:], t[n:]) for n in range(len(t) + 1))
        return bool(t) and p[0] in (t[0], "?") and reference(p[1:], t[1:])

    assert matches(pattern, text) == reference(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "arn", "fits"),
    [
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b/x:y/z", True),
        (
            "arn:aws:dynamodb:*:table/t",
            "arn:aws:dynamodb:r:1:table/t",
            False,
        ),  # a wildcard does not reach over an ARN's colons
        ("arn:aws:*", "arn:aws:s3:::b", False),
        ("*", "arn:aws:s3:::b", True),
        ("*", "*", True),
        (
            "arn:aws:ecs:r:1:cluster/x",
            "*",
            False,
        ),  # an action without resources needs a statement for *
        (
            "arn:aws:secretsmanager:r:1:secret:s-??????",
            "arn:aws:secretsmanager:r:1:secret:s-AbCdEf",
            True,
        ),
        (
            "arn:aws:secretsmanager:r:1:secret:s-??????",
            "arn:aws:secretsmanager:r:1:secret:s-more-AbCdEf",
            False,
        ),
    ],
)
def test_arns(pattern: str, arn: str, fits: bool) -> None:
    assert arn_matches(pattern, arn) is fits


def test_actions_are_alike_in_upper_and_lower_case_and_resources_are_not() -> None:
    policy = [
        {"Sid": "S", "Effect": "Allow", "Action": "S3:getobject", "Resource": "arn:aws:s3:::b/a"}
    ]
    assert verdict(policy, NeededRight("s3:GetObject", "arn:aws:s3:::b/a")) is PolicyVerdict.ALLOWED
    assert (
        verdict(policy, NeededRight("s3:GetObject", "arn:aws:s3:::b/A"))
        is PolicyVerdict.NOT_ALLOWED
    )


@pytest.mark.parametrize(
    "more",
    [
        {"NotAction": "s3:*"},
        {"Condition": {"NumericLessThan": {"s3:max-keys": "10"}}},
        {"Resource": "arn:aws:s3:::b/${aws:username}"},
        {"Principal": "*"},
    ],
)
def test_what_it_does_not_know_is_refused_and_not_passed_over(more: dict[str, Any]) -> None:
    with pytest.raises(CannotJudge, match="not known"):
        Policy(
            {
                "Statement": [
                    {
                        "Sid": "S",
                        "Effect": "Allow",
                        "Action": "s3:GetObject",
                        "Resource": "arn:aws:s3:::b/a",
                        **more,
                    }
                ]
            }
        )
