"""What is declared is enough for what AWS does in a component's name, and no more than that is let
through.
"""

import json

import pytest

from infra.declared import DECLARED
from infra.emulator.aws_errors import AwsError, error_response
from infra.emulator.rights import Guard, NeededRight
from infra.emulator.rights.call import Call
from infra.emulator.rights.policy import Policy, PolicyVerdict
from infra.local import roles
from infra.local.place import local_place
from infra.local.settings import LocalSettings

PLACE = local_place(LocalSettings())
TASKS = {"1": "task-agent", "2": "task-build"}


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def guard(told: list[str]) -> Guard:
    return roles.guard(DECLARED, PLACE, TASKS.get, told.append)


def get_item(table: str) -> Call:
    return Call("dynamodb", "GetItem", body=json.dumps({"TableName": table}).encode())


def test_a_component_may_what_its_role_says_and_no_other(guard: Guard, told: list[str]) -> None:
    guard.check("task:1", get_item("sheen-local-instances"))
    with pytest.raises(AwsError) as caught:
        guard.check("task:2", get_item("sheen-local-instances"))
    assert caught.value.code == "AccessDeniedException"
    assert caught.value.message == (
        "User: arn:aws:sts::123456789012:assumed-role/sheen-local-task-build/task-2 is "
        "not authorized to perform: dynamodb:GetItem "
        "on resource: arn:aws:dynamodb:us-east-1:123456789012:table/sheen-local-instances "
        "because no identity-based policy allows the dynamodb:GetItem action"
    )
    assert told == [f"refused to task:2: {caught.value.message}"]


@pytest.mark.parametrize(
    "principal", ["task:3", "function:sheen-local-none", "machine:none", "somebody", "states"]
)
def test_who_has_no_role_may_nothing(guard: Guard, principal: str) -> None:
    with pytest.raises(AwsError, match="has no role"):
        guard.check(principal, get_item("sheen-local-instances"))


def test_the_owner_may_everything_also_what_is_not_mapped(guard: Guard) -> None:
    guard.check("admin", Call("kinesis", "PutRecord"))
    assert guard.may_know_absence("admin", Call("s3", "GetObject", "GET", "/sheen-local/x"))


def test_what_is_not_mapped_is_refused_and_says_that_the_mapping_lacks_it(guard: Guard) -> None:
    with pytest.raises(
        AwsError, match=r"does not know which rights dynamodb\.ExecuteStatement needs"
    ) as caught:
        guard.check("task:1", Call("dynamodb", "ExecuteStatement"))
    assert caught.value.code == "AccessDeniedException"


@pytest.mark.parametrize(
    ("service", "code", "status"),
    [
        ("dynamodb", "AccessDeniedException", 400),
        ("states", "AccessDeniedException", 400),
        ("ecs", "AccessDeniedException", 400),
        ("lambda", "AccessDeniedException", 403),
        ("s3", "AccessDenied", 403),
        ("sns", "AuthorizationError", 403),
        ("execute-api", "ForbiddenException", 403),
    ],
)
def test_each_service_refuses_in_its_own_words(
    guard: Guard, service: str, code: str, status: int
) -> None:
    with pytest.raises(AwsError) as caught:
        guard.check(
            "function:sheen-local-instance_drain", Call(service, "Nothing", "PATCH", "/x/y")
        )
    answer = error_response(service, caught.value)
    assert (caught.value.code, answer.status) == (code, status)
    assert code in str(answer.text)


def test_one_function_runs_tasks_and_gives_them_tasks_roles_and_no_others(guard: Guard) -> None:
    def run(principal: str, definition: str, **more: object) -> None:
        body = {"cluster": "sheen-local", "taskDefinition": f"sheen-local-{definition}", **more}
        guard.check(principal, Call("ecs", "RunTask", body=json.dumps(body).encode()))

    run("function:sheen-local-task_run", "agent_small")
    run("function:sheen-local-task_run", "build", propagateTags="TASK_DEFINITION")
    with pytest.raises(AwsError, match="iam:PassRole"):
        run(
            "function:sheen-local-task_run",
            "agent_small",
            overrides={"taskRoleArn": "arn:aws:iam::123456789012:role/sheen-local-function-sync"},
        )
    with pytest.raises(AwsError, match="ecs:RunTask"):
        run("function:sheen-local-task_run", "agent_small", cluster="another")
    with pytest.raises(AwsError, match="ecs:RunTask"):
        run("machine:instance", "agent_small")


def test_what_was_used_and_what_never_is_reported(guard: Guard) -> None:
    guard.check("task:1", get_item("sheen-local-instances"))
    agent = guard.report()["roles"]["task-agent"]
    assert agent["used"] == {"Instances dynamodb:GetItem": 1}
    assert (
        "Instances dynamodb:UpdateItem" in agent["unused"]
        and "Instances dynamodb:GetItem" not in agent["unused"]
    )


@pytest.mark.parametrize("function", DECLARED.functions, ids=lambda function: function.name)
def test_lambda_can_write_each_functions_log(function: object) -> None:
    name = PLACE.function_name(function.name)  # type: ignore[attr-defined]
    policy = Policy(DECLARED.roles(PLACE)[function.role].policy())  # type: ignore[attr-defined]
    stream = PLACE.arn("logs", f"log-group:/aws/lambda/{name}:log-stream:2026/01/01/[$LATEST]abc")
    for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
        assert policy.decide(NeededRight(action, stream)).verdict is PolicyVerdict.ALLOWED


def test_an_explicit_deny_says_so() -> None:
    from infra.emulator.rights.policy import Decision
    from infra.emulator.rights.refusal import refusal

    error = refusal(
        "s3",
        "arn:x",
        NeededRight("s3:GetObject", "arn:aws:s3:::b/k"),
        Decision(PolicyVerdict.DENIED, "No"),
    )
    assert error.message.endswith("with an explicit deny in an identity-based policy")
