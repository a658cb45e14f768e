"""What components may do is declared narrowly, and says why where it is not."""

from dataclasses import replace

import pytest

from chalicelib.clock import wall_clock
from chalicelib.configuration.deployment import Settings
from chalicelib.lives import errands as about_instances
from infra.declared import DECLARED, IamRole, Statement, errands
from infra.declared.functions import FUNCTIONS
from infra.declared.rights import TooWide, is_wide, merged
from infra.emulator import rights as emulated
from infra.emulator.rights.trust import CannotBeTaken, check_trust, trusts
from infra.local.place import local_place
from infra.local.settings import LocalSettings

PLACE = replace(local_place(LocalSettings()), traced=True, websocket_api="*")
ROLES = DECLARED.roles(PLACE)


@pytest.mark.parametrize("role", ROLES.values(), ids=lambda role: role.name)
def test_a_wide_statement_says_why_and_no_action_is_a_pattern(role: IamRole) -> None:
    for statement in role.statements:
        assert not any("*" in action or "?" in action for action in statement.actions), statement
        if any(map(is_wide, statement.resources)):
            assert len(statement.why.split()) > 5, statement


@pytest.mark.parametrize(
    "resource",
    [
        "*",
        "arn:aws:s3:::*",
        "arn:aws:dynamodb:*:1:table/x",
        "arn:aws:s3:::sheen-*/x",
        "arn:aws:dynamodb:r:1:table/sheen-*",
    ],
)
def test_a_wide_statement_without_a_reason_cannot_be_made(resource: str) -> None:
    with pytest.raises(TooWide, match="wildcard"):
        Statement("Wide", ("s3:GetObject",), (resource,))
    assert Statement(
        "Wide", ("s3:GetObject",), (resource,), why="there is no other way"
    ).document()["Resource"] == [resource]


@pytest.mark.parametrize(
    "resource",
    [
        "arn:aws:s3:::sheen-local/bodies/*",
        "arn:aws:ecs:r:1:task/sheen-local/*",
        "arn:aws:logs:r:1:log-group:/x:*",
    ],
)
def test_what_has_no_name_yet_needs_no_reason(resource: str) -> None:
    assert not is_wide(resource)


@pytest.mark.parametrize("action", ["s3:*", "*", "s3:Get*", "GetObject"])
def test_an_action_is_one_action(action: str) -> None:
    with pytest.raises(TooWide, match="one action"):
        Statement("Wide", (action,), ("arn:aws:s3:::sheen-local/x",))


def test_two_statements_of_a_role_have_two_sids() -> None:
    one = Statement("One", ("s3:GetObject",), ("arn:aws:s3:::sheen-local/x",))
    with pytest.raises(ValueError, match="One"):
        IamRole("x", "lambda.amazonaws.com", (one, one))


def test_only_the_service_itself_takes_a_role_on() -> None:
    assert {role.service for role in ROLES.values()} == {
        "lambda.amazonaws.com",
        "ecs-tasks.amazonaws.com",
        "states.amazonaws.com",
        "events.amazonaws.com",
        "datasync.amazonaws.com",
    }
    assert ROLES["task-agent"].trust("1")["Statement"][0]["Principal"] == {
        "Service": "ecs-tasks.amazonaws.com"
    }


@pytest.mark.parametrize("role", ROLES.values(), ids=lambda role: role.name)
def test_no_service_takes_a_role_on_for_another_account(role: IamRole) -> None:
    trust = role.trust(PLACE.account)
    assert trusts(trust, role.service, PLACE.account)
    assert (
        not trusts(trust, role.service, "999999999999") or role.service == "lambda.amazonaws.com"
    ), "Lambda tells no account"
    assert not trusts(trust, "ec2.amazonaws.com", PLACE.account)


def test_a_role_that_its_service_cannot_take_on_is_named() -> None:
    role = IamRole("odd", "states.amazonaws.com", ())
    odd = emulated.RoleDocuments(
        role.name,
        PLACE.role_arn(role.name),
        role.service,
        role.policy(),
        role.trust(f"not {PLACE.account}"),
    )
    with pytest.raises(
        CannotBeTaken,
        match=r"sheen-local-odd: its trust policy does not let states\.amazonaws\.com",
    ):
        check_trust(odd)


def test_every_function_has_a_role_of_its_own_with_a_name_that_iam_takes() -> None:
    assert len({function.role for function in FUNCTIONS}) == len(FUNCTIONS)
    for role in ROLES:
        assert len(PLACE.role_name(role)) <= 64, role


def test_the_token_of_whatever_task_dies_can_be_answered() -> None:
    tokens = next(
        statement
        for statement in ROLES["function-on_task_stopped"].statements
        if statement.sid == "Tokens"
    )
    assert set(tokens.resources) == {
        PLACE.state_machine_arn(machine.name)
        for machine in DECLARED.state_machines
        if machine.tasks
    }
    assert len(tokens.resources) > 3


def test_functions_in_the_vpc_are_given_nothing_that_they_cannot_reach() -> None:
    there = (
        "dynamodb:",
        "s3:",
        "logs:",
        "xray:",
        "ec2:",
    )  # what writes logs and traces is not in the VPC (FACTS E6b)
    for function in FUNCTIONS:
        if function.in_vpc:
            actions = [
                action
                for statement in ROLES[function.role].statements
                for action in statement.actions
            ]
            assert all(action.startswith(there) for action in actions), function.name


def test_statements_for_one_table_become_one_and_others_cannot_be_mixed_up() -> None:
    read = Statement("Things", ("dynamodb:GetItem",), ("arn:aws:dynamodb:r:1:table/x",))
    write = replace(read, actions=("dynamodb:PutItem", "dynamodb:GetItem"))
    other = replace(read, sid="Others")
    both = replace(read, actions=("dynamodb:GetItem", "dynamodb:PutItem"))
    assert list(merged(read, other, write)) == [both, other]
    with pytest.raises(ValueError, match="Things"):
        merged(read, replace(read, resources=("arn:aws:dynamodb:r:1:table/y",)))


def test_each_kind_of_errand_has_its_rights_and_fits_into_the_function_that_does_it() -> None:
    kinds = about_instances.kinds(Settings("b", "p-", "/socket"), wall_clock)
    assert {kind.name for kind in kinds} == errands.RIGHTS.keys()
    (doer,) = [function for function in FUNCTIONS if function.name == "on_errand"]
    assert all(kind.manner.seconds < doer.timeout_seconds for kind in kinds)
