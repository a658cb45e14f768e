"""Each call needs the actions and resources that IAM's reference says."""

import json
from dataclasses import replace
from typing import Any

import pytest

from infra.declared import DECLARED
from infra.emulator.rights.call import Call, NotMapped
from infra.emulator.rights.policy import NeededRight, Policy, PolicyVerdict
from infra.emulator.states.tokens import token_of
from infra.local import roles
from infra.local.place import local_place
from infra.local.settings import LocalSettings

PLACE = local_place(LocalSettings())
NEEDS = roles.needs(DECLARED, PLACE)
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/"
ECS = "arn:aws:ecs:us-east-1:123456789012:"
BUCKET = "arn:aws:s3:::sheen-local"


def of(service: str, operation: str, **parameters: Any) -> list[tuple[str, str]]:
    return needs(Call(service, operation, body=json.dumps(parameters).encode()))


def s3(
    method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None, **query: str
) -> list[tuple[str, str]]:
    return needs(
        Call(
            "s3",
            "",
            method,
            path,
            {name.replace("_", "-"): value for name, value in query.items()},
            headers or {},
            body,
        )
    )


def needs(call: Call) -> list[tuple[str, str]]:
    return [(need.action, need.resource) for need in NEEDS.of(call)]


def test_dynamodb() -> None:
    assert of("dynamodb", "UpdateItem", TableName="t") == [("dynamodb:UpdateItem", TABLE + "t")]
    assert of("dynamodb", "Query", TableName="t") == [("dynamodb:Query", TABLE + "t")]
    assert of("dynamodb", "Query", TableName="t", IndexName="i") == [
        ("dynamodb:Query", TABLE + "t/index/i")
    ]
    assert of("dynamodb", "BatchGetItem", RequestItems={"t": {}, "u": {}}) == [
        ("dynamodb:BatchGetItem", TABLE + "t"),
        ("dynamodb:BatchGetItem", TABLE + "u"),
    ]
    items = [
        {"Put": {"TableName": "t"}},
        {"ConditionCheck": {"TableName": "u"}},
        {"Delete": {"TableName": "t"}},
        {"Update": {"TableName": "t"}},
    ]
    assert of("dynamodb", "TransactWriteItems", TransactItems=items) == [
        ("dynamodb:PutItem", TABLE + "t"),
        ("dynamodb:ConditionCheckItem", TABLE + "u"),
        ("dynamodb:DeleteItem", TABLE + "t"),
        ("dynamodb:UpdateItem", TABLE + "t"),
    ]


def test_s3_objects() -> None:
    key = BUCKET + "/bodies/ä b"
    path = "/sheen-local/bodies/%C3%A4%20b"
    assert s3("GET", path) == s3("HEAD", path) == [("s3:GetObject", key)]
    assert (
        s3("PUT", path) == s3("PUT", path, partNumber="1", uploadId="u") == [("s3:PutObject", key)]
    )
    assert s3("POST", path, uploads="") == s3("POST", path, uploadId="u") == [("s3:PutObject", key)]
    assert s3("GET", path, uploadId="u") == [("s3:ListMultipartUploadParts", key)]
    assert s3("DELETE", path) == [("s3:DeleteObject", key)]
    assert s3("DELETE", path, uploadId="u") == [("s3:AbortMultipartUpload", key)]
    assert s3("PUT", path, headers={"x-amz-copy-source": "/other/k%20k?versionId=1"}) == [
        ("s3:PutObject", key),
        ("s3:GetObject", "arn:aws:s3:::other/k k"),
    ]
    assert s3("PUT", path, tagging="") == [("s3:PutObjectTagging", key)]


def test_s3_buckets() -> None:
    assert s3("GET", "/sheen-local", list_type="2", prefix="a/") == [("s3:ListBucket", BUCKET)]
    assert s3("HEAD", "/sheen-local") == [("s3:ListBucket", BUCKET)]
    assert s3("GET", "/sheen-local", uploads="") == [("s3:ListBucketMultipartUploads", BUCKET)]
    xml = (
        b"<Delete "
        b'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a</Key></Object><Object><Key>b</Key></Object></Delete>'
    )
    assert s3("POST", "/sheen-local", xml, delete="") == [
        ("s3:DeleteObject", BUCKET + "/a"),
        ("s3:DeleteObject", BUCKET + "/b"),
    ]


def test_running_a_task_needs_the_right_to_give_it_its_roles() -> None:
    found = NEEDS.of(
        Call(
            "ecs",
            "RunTask",
            body=json.dumps(
                {"cluster": "sheen-local", "taskDefinition": "sheen-local-build"}
            ).encode(),
        )
    )
    assert [(need.action, need.resource) for need in found] == [
        ("ecs:RunTask", ECS + "task-definition/sheen-local-build:1"),
        ("iam:PassRole", "arn:aws:iam::123456789012:role/sheen-local-task-build"),
        ("iam:PassRole", "arn:aws:iam::123456789012:role/sheen-local-task-execution"),
    ]
    assert found[0].context == {"ecs:cluster": ECS + "cluster/sheen-local"}
    assert found[1].context == {"iam:PassedToService": "ecs-tasks.amazonaws.com"}


def test_a_task_cannot_be_run_with_another_role_by_the_back_door() -> None:
    overrides = {"taskRoleArn": "arn:aws:iam::123456789012:role/admin"}
    found = of(
        "ecs",
        "RunTask",
        cluster="sheen-local",
        taskDefinition="sheen-local-build",
        overrides=overrides,
    )
    assert ("iam:PassRole", "arn:aws:iam::123456789012:role/admin") in found


def test_datasync_makes_its_interfaces_with_the_rights_of_who_makes_or_starts_a_task() -> None:
    task = "arn:aws:datasync:x"
    made, started = of("datasync", "CreateTask"), of("datasync", "StartTaskExecution", TaskArn=task)
    assert (made[0], started[0]) == (
        ("datasync:CreateTask", "*"),
        ("datasync:StartTaskExecution", task),
    )
    assert made[1:] == started[1:] == of("datasync", "DeleteTask", TaskArn=task)[1:]
    assert {
        ("ec2:CreateNetworkInterface", "*"),
        ("ec2:CreateNetworkInterfacePermission", "*"),
    } <= set(made)
    role = "arn:aws:iam::123456789012:role/sheen-local-datasync"
    located = of("datasync", "CreateLocationEfs", FileSystemAccessRoleArn=role)
    assert {
        ("elasticfilesystem:DescribeAccessPoints", "*"),
        ("ec2:DescribeSubnets", "*"),
        ("iam:PassRole", role),
    } <= set(located)


def test_a_location_of_another_accounts_bucket_needs_the_callers_right_to_see_it() -> None:
    assert of("datasync", "CreateLocationS3", S3BucketArn=BUCKET) == [
        ("datasync:CreateLocationS3", "*")
    ]
    other = "arn:aws:s3:::other"
    assert of("datasync", "CreateLocationS3", S3BucketArn=other) == [
        ("datasync:CreateLocationS3", "*"),
        ("s3:ListBucket", other),
    ]


@pytest.mark.parametrize("role", ["function-sync_step", "machine-sync"])
def test_who_makes_and_who_starts_datasyncs_tasks_may_do_all_that_these_do(role: str) -> None:
    policy = Policy(DECLARED.roles(PLACE)[role].policy())
    calls = {
        "function-sync_step": ("CreateTask", "CreateLocationEfs", "DeleteTask"),
        "machine-sync": ("StartTaskExecution",),
    }
    task = PLACE.arn("datasync", "task/task-1")

    def refused(stage_of_task: str, asked: str) -> set[str]:
        known = roles.needs(DECLARED, PLACE, {task: {"stage": stage_of_task}}.__getitem__)
        body = json.dumps({"TaskArn": task, "Tags": [{"Key": "stage", "Value": asked}]}).encode()
        every = [
            need
            for operation in calls[role]
            for need in known.of(Call("datasync", operation, body=body))
        ]
        return {
            need.action
            for need in every
            if policy.decide(need).verdict is not PolicyVerdict.ALLOWED
        }

    assert refused("local", "local") == set()
    assert refused("prod", "local") == {
        f"datasync:{one}" for one in calls[role] if not one.startswith("Create")
    }
    assert {"datasync:TagResource"} <= refused("local", "prod")


def test_datasyncs_things_of_another_stage_are_neither_started_nor_stopped_nor_deleted_nor_tagged() -> (  # noqa: E501
    None
):
    mine, other = PLACE.arn("datasync", "task/mine"), PLACE.arn("datasync", "task/other")
    known = roles.needs(
        DECLARED, PLACE, lambda arn: {"stage": "local" if arn.startswith(mine) else "prod"}
    )
    policies = {name: Policy(role.policy()) for name, role in DECLARED.roles(PLACE).items()}

    def may(role: str, operation: str, **parameters: str) -> bool:
        first, *_ = known.of(Call("datasync", operation, body=json.dumps(parameters).encode()))
        return policies[role].decide(first).verdict is PolicyVerdict.ALLOWED

    for role, operation, name in (
        ("function-sync_step", "DeleteTask", "TaskArn"),
        ("machine-sync", "StartTaskExecution", "TaskArn"),
        ("machine-sync", "CancelTaskExecution", "TaskExecutionArn"),
    ):
        end = "" if name == "TaskArn" else "/execution/exec-1"
        assert may(role, operation, **{name: mine + end}), operation
        assert not may(role, operation, **{name: other + end}), operation
    seize = NeededRight(
        "datasync:TagResource",
        other,
        {"aws:RequestTag/stage": "local", "aws:ResourceTag/stage": "prod"},
    )
    assert all(
        policies[role].decide(seize).verdict is not PolicyVerdict.ALLOWED
        for role in ("function-sync_step", "machine-sync")
    )
    assert not may("function-sync_step", "CreateTask"), "what is made has the stage's tag"


def test_a_task_in_enhanced_mode_needs_the_right_to_make_datasyncs_linked_role() -> None:
    needed = [
        need
        for need in NEEDS.of(Call("datasync", "CreateTask", body=b'{"TaskMode": "ENHANCED"}'))
        if need.action.startswith("iam:")
    ]
    [need] = needed
    for mode, verdict in (
        ("ENHANCED", PolicyVerdict.ALLOWED),
        ("BASIC", PolicyVerdict.NOT_ALLOWED),
    ):
        role = DECLARED.roles(replace(PLACE, transfer_mode=mode))["function-sync_step"]
        assert Policy(role.policy()).decide(need).verdict is verdict


def test_the_rest() -> None:
    arn = "arn:aws:states:us-east-1:123456789012:"
    token = token_of("sheen-local-instance", "abc")
    assert of("states", "SendTaskHeartbeat", taskToken=token) == [
        ("states:SendTaskHeartbeat", arn + "stateMachine:sheen-local-instance")
    ]
    assert of("states", "StartExecution", stateMachineArn=arn + "stateMachine:x") == [
        ("states:StartExecution", arn + "stateMachine:x")
    ]
    assert of("ecs", "StopTask", cluster="c", task="t") == [("ecs:StopTask", ECS + "task/c/t")]
    assert of("ecs", "ListTasks", cluster="c") == [("ecs:ListTasks", "*")]
    assert needs(
        Call("lambda", "Invoke", path="/2015-03-31/functions/sheen-local-x/invocations")
    ) == [("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:123456789012:function:sheen-local-x")]
    assert needs(Call("execute-api", "PostToConnection", path="/socket/@connections/a%3D")) == [
        (
            "execute-api:ManageConnections",
            "arn:aws:execute-api:us-east-1:123456789012:localsock0/socket/POST/@connections/a=",
        )
    ]
    assert of("events", "PutEvents", Entries=[{}]) == [
        ("events:PutEvents", "arn:aws:events:us-east-1:123456789012:event-bus/default")
    ]
    topic = "arn:aws:sns:us-east-1:123456789012:t"
    assert needs(Call("sns", "POST", body=f"Action=Publish&TopicArn={topic}".encode())) == [
        ("sns:Publish", topic)
    ]
    assert of("sqs", "SendMessage", QueueUrl="http://x/123/q") == [
        ("sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:q")
    ]
    assert of("secretsmanager", "GetSecretValue", SecretId="a/b") == [
        (
            "secretsmanager:GetSecretValue",
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:a/b-??????",
        )
    ]
    group = "arn:aws:logs:us-east-1:123456789012:log-group:/g:log-stream:"
    assert of("logs", "PutLogEvents", logGroupName="/g", logStreamName="s") == [
        ("logs:PutLogEvents", group + "s")
    ]
    assert of("datasync", "DescribeTask", TaskArn="arn:aws:datasync:x") == [
        ("datasync:DescribeTask", "arn:aws:datasync:x")
    ]
    assert needs(Call("sts", "POST", body=b"Action=GetCallerIdentity")) == []
    assert needs(Call("sts", "POST", body=b"Action=AssumeRole&RoleArn=r")) == [
        ("sts:AssumeRole", "r")
    ]


@pytest.mark.parametrize(
    "call",
    [
        Call("dynamodb", "ExecuteStatement"),
        Call("s3", "", "PUT", "/sheen-local", {"policy": ""}),
        Call("s3", "", "GET", "/sheen-local", {"policy": ""}),
        Call("s3", "", "POST", "/sheen-local/key", {"restore": ""}),
        Call("states", "DeleteStateMachine"),
        Call("iam", "POST"),
        Call("sts", "POST", body=b"Action=GetSessionToken"),
        Call("kinesis", "PutRecord"),
    ],
    ids=lambda call: f"{call.service}.{call.operation or call.method}",
)
def test_what_nobody_has_mapped_is_said_so(call: Call) -> None:
    with pytest.raises(
        NotMapped, match=r"does not know which rights .* needs: say it in infra/emulator/rights"
    ):
        NEEDS.of(call)


def test_the_web_socket_api_is_the_places_own() -> None:
    found = roles.needs(DECLARED, replace(PLACE, websocket_api="abc")).of(
        Call("execute-api", "PostToConnection", path="/socket/@connections/x")
    )
    assert found[0].resource.endswith(":abc/socket/POST/@connections/x")
