"""A component's calls are refused by the front as AWS refuses them, whatever client it uses."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.infra.tiny_process import TinyStack
from tests.support.waiting import until

FUNCTION = "function:tiny-local-outside"


def as_function(stack: TinyStack, service: str, principal: str = FUNCTION) -> Any:
    """A client with a component's own keys, as its code would make it."""
    stack.invoke(
        principal.rpartition("-")[2], {"host": "127.0.0.1", "port": 1}
    )  # it has run, so it has keys
    keys = {
        entry["principal"]: entry for entry in json.loads((stack.data / "keys.json").read_text())
    }
    key = keys[principal]
    return stack.client(
        service, aws_access_key_id=key["key_id"], aws_secret_access_key=key["secret"]
    )


CALLS: dict[str, tuple[str, Callable[[Any], Any], str, int]] = {
    "an item": (
        "dynamodb",
        lambda c: c.get_item(TableName="tiny-local-kept", Key={"k": {"S": "1"}}),
        "AccessDeniedException",
        400,
    ),
    "an object": (
        "s3",
        lambda c: c.put_object(Bucket="tiny-local", Key="x", Body=b"1"),
        "AccessDenied",
        403,
    ),
    "an object that is not there": (
        "s3",
        lambda c: c.get_object(Bucket="tiny-local", Key="none"),
        "AccessDenied",
        403,
    ),
    "a list": ("s3", lambda c: c.list_objects_v2(Bucket="tiny-local"), "AccessDenied", 403),
    "a function": (
        "lambda",
        lambda c: c.invoke(FunctionName="tiny-local-echo"),
        "AccessDeniedException",
        403,
    ),
    "an execution": (
        "stepfunctions",
        lambda c: c.start_execution(
            stateMachineArn="arn:aws:states:us-east-1:123456789012:stateMachine:tiny-local-life"
        ),
        "AccessDeniedException",
        400,
    ),
    "a token": (
        "stepfunctions",
        lambda c: c.send_task_success(taskToken="tiny-local-life~x", output="{}"),
        "AccessDeniedException",
        400,
    ),
    "a task": (
        "ecs",
        lambda c: c.run_task(cluster="tiny-local", taskDefinition="tiny-local-worker"),
        "AccessDeniedException",
        400,
    ),
    "an event": (
        "events",
        lambda c: c.put_events(Entries=[{"Source": "s"}]),
        "AccessDeniedException",
        400,
    ),
    "a topic": (
        "sns",
        lambda c: c.publish(TopicArn="arn:aws:sns:us-east-1:123456789012:t", Message="m"),
        "AuthorizationError",
        403,
    ),
    "what nobody mapped": ("sns", lambda c: c.create_topic(Name="t"), "AuthorizationError", 403),
    "a role": ("iam", lambda c: c.list_roles(), "AccessDenied", 403),
}


@pytest.mark.parametrize("what", CALLS)
def test_a_function_gets_nothing_that_it_was_not_given(tiny: TinyStack, what: str) -> None:
    service, call, code, status = CALLS[what]
    with pytest.raises(ClientError) as caught:
        call(as_function(tiny, service))
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert caught.value.response["Error"]["Message"]


def test_a_function_gets_what_it_was_given(tiny: TinyStack) -> None:
    states = as_function(tiny, "stepfunctions")
    assert states.list_state_machines()["stateMachines"]
    assert states.start_execution(
        stateMachineArn="arn:aws:states:us-east-1:123456789012:stateMachine:tiny-local-uploads"
    )


def test_a_presigned_url_has_its_signers_rights(tiny: TinyStack) -> None:
    tiny.client("s3").put_object(Bucket="tiny-local", Key="passing/secret", Body=b"secret")

    def get(client: Any) -> bytes:
        url = client.generate_presigned_url(
            "get_object", Params={"Bucket": "tiny-local", "Key": "passing/secret"}
        )
        with urllib.request.urlopen(url) as answer:  # noqa: S310
            content: bytes = answer.read()
            return content

    assert get(tiny.client("s3")) == b"secret"
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(as_function(tiny, "s3"))
    assert caught.value.code == 403
    assert b"<Code>AccessDenied</Code>" in caught.value.read()


def test_a_state_machine_fails_where_its_role_does_not_allow(tiny: TinyStack) -> None:
    # The engine itself refuses nothing: what it asks for goes through the front like everybody's
    # calls.
    states = tiny.client("stepfunctions")
    arn = "arn:aws:states:us-east-1:123456789012:stateMachine:tiny-local-sly"
    definition = {
        "StartAt": "Sly",
        "States": {
            "Sly": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke",
                "Parameters": {"FunctionName": "tiny-local-echo"},
                "End": True,
            }
        },
    }
    states.create_state_machine(
        name="tiny-local-sly",
        definition=json.dumps(definition),
        roleArn="arn:aws:iam::123456789012:role/tiny-local-machine-uploads",
    )
    execution = states.start_execution(stateMachineArn=arn)["executionArn"]
    until(
        lambda: states.describe_execution(executionArn=execution)["status"] != "RUNNING",
        30,
        "the execution's end",
    )
    ended = states.describe_execution(executionArn=execution)
    assert ended["status"] == "FAILED"
    assert "AccessDenied" in ended["error"]
    assert "lambda:InvokeFunction" in ended["cause"]


def test_refusals_are_told_and_counted(tiny: TinyStack) -> None:
    with pytest.raises(ClientError):
        as_function(tiny, "dynamodb").scan(TableName="tiny-local-kept")
    message = (
        "is not authorized to perform: dynamodb:Scan on resource: "
        "arn:aws:dynamodb:us-east-1:123456789012:table/tiny-local-kept"
    )
    assert f"refused to {FUNCTION}" in tiny.said() and message in tiny.said()
    report = tiny.control("/rights")
    assert any(message in refused for refused in report["refused"])
    assert report["roles"]["function-on_things"]["used"]["Stream dynamodb:GetRecords"] == 1
