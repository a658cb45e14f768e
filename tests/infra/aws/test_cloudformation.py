"""Stacks: what became of earlier runs, what fails and why, what must not be deleted."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.aws.cloudformation import MOST_TEMPLATE_BYTES, Stacks
from infra.aws.errors import DeployError
from infra.aws.synth import StackTemplate

NAME = "sheen-prod-data"
TABLE = {
    "Type": "AWS::DynamoDB::Table",
    "Properties": {"TableName": "apps", "DeletionProtectionEnabled": True},
}
TEMPLATE = StackTemplate(
    NAME,
    "eu-central-1",
    {"Resources": {"Bundles": {"Type": "AWS::S3::Bucket"}, "AppsTable": TABLE}},
)


class CloudFormation:
    """One stack, whose statuses follow one another at each look while something is at work."""

    def __init__(
        self,
        *statuses: str,
        protected: bool = False,
        ends: tuple[str, ...] = ("CREATE_IN_PROGRESS", "CREATE_COMPLETE"),
    ) -> None:
        self.statuses = list(statuses)
        self.protected = protected
        self.ends = ends
        self.calls: list[str] = []
        self.requests: list[dict[str, Any]] = []
        self.reason = ""

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803  # boto3's names
        if not self.statuses:
            message = f"Stack with id {StackName} does not exist"
            raise ClientError(
                {"Error": {"Code": "ValidationError", "Message": message}}, "DescribeStacks"
            )
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        stack = {
            "StackStatus": status,
            "StackId": StackName,
            "EnableTerminationProtection": self.protected,
        }
        return {
            "Stacks": [
                {
                    **stack,
                    "Outputs": [
                        {"OutputKey": "Bucket", "OutputValue": "b"},
                        {"OutputKey": "ExportsOutputX", "OutputValue": "x"},
                    ],
                }
            ]
        }

    def create_stack(self, **request: Any) -> None:
        self.calls.append("create")
        self.requests.append(request)
        self.statuses = list(self.ends)

    def update_stack(self, **request: Any) -> None:
        self.calls.append("update")
        self.requests.append(request)
        message = "No updates are to be performed."
        raise ClientError({"Error": {"Code": "ValidationError", "Message": message}}, "UpdateStack")

    def delete_stack(self, **_request: Any) -> None:
        self.calls.append("delete")
        self.statuses = ["DELETE_IN_PROGRESS", "DELETE_COMPLETE"]

    def update_termination_protection(self, **request: Any) -> None:
        self.calls.append("protect" if request["EnableTerminationProtection"] else "release")

    def describe_stack_events(self, **_request: Any) -> dict[str, Any]:
        event = {
            "EventId": "1",
            "Timestamp": datetime.now(UTC),
            "ResourceStatus": "CREATE_FAILED",
            "LogicalResourceId": "Bundles",
        }
        return {
            "StackEvents": [{**event, "ResourceStatusReason": self.reason}] if self.reason else []
        }


def put(
    client: CloudFormation, template: StackTemplate = TEMPLATE, *, protected: bool = True
) -> dict[str, str]:
    stacks = Stacks(client, lambda _line: None, lambda _seconds: None)
    return stacks.put(
        template,
        {"Key": "value"},
        protected=protected,
        upload=lambda one, _text: f"https://bucket/{one.stack}",
    )


def test_a_new_stack_is_made_protected_and_tells_its_outputs_but_not_cdks() -> None:
    client = CloudFormation()
    assert put(client) == {"Bucket": "b"}
    assert client.calls == ["create", "update", "protect"]
    for request in client.requests:
        assert request["Parameters"] == [{"ParameterKey": "Key", "ParameterValue": "value"}]


def test_a_stack_that_is_as_it_should_be_stays() -> None:
    client = CloudFormation("UPDATE_COMPLETE", protected=True)
    assert put(client) == {"Bucket": "b"}
    assert client.calls == ["update"]


def test_protection_follows_the_settings() -> None:
    client = CloudFormation("UPDATE_COMPLETE", protected=True)
    put(client, protected=False)
    assert client.calls == ["update", "release"]


def test_what_another_run_does_to_it_is_waited_for() -> None:
    client = CloudFormation(
        "UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", protected=True
    )
    put(client)
    assert client.calls == ["update"]


@pytest.mark.parametrize(
    "status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS"]
)
def test_a_stack_whose_creation_failed_is_made_anew(status: str) -> None:
    client = CloudFormation(status)
    put(client)
    assert client.calls[:2] == ["delete", "create"]


def test_a_creation_that_fails_leaves_nothing_that_keeps_the_next_one_from_making_it() -> None:
    client = CloudFormation(
        ends=("CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE")
    )
    with pytest.raises(DeployError, match="ROLLBACK_COMPLETE"):
        put(client)
    [request] = client.requests
    assert request["RetainExceptOnCreate"] is True
    assert not client.protected and "EnableTerminationProtection" not in request
    assert (
        json.loads(request["TemplateBody"])["Resources"]["AppsTable"]["Properties"][
            "DeletionProtectionEnabled"
        ]
        is False
    )
    client.ends = ("CREATE_COMPLETE",)
    put(client)
    assert client.calls == ["create", "delete", "create", "update", "protect"]


def test_what_is_kept_is_protected_once_it_is_there_and_what_an_update_adds_goes_with_its_failure() -> (  # noqa: E501
    None
):
    client = CloudFormation()
    put(client)
    last = client.requests[-1]
    assert json.loads(last["TemplateBody"]) == TEMPLATE.body
    assert last["RetainExceptOnCreate"] is True


def test_a_failure_tells_the_resources_reasons() -> None:
    client = CloudFormation(
        ends=("CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE")
    )
    client.reason = "the name is taken"
    with pytest.raises(
        DeployError, match="sheen-prod-data is ROLLBACK_COMPLETE: Bundles: the name is taken"
    ):
        put(client)


def test_a_template_too_large_for_a_request_goes_by_the_bucket() -> None:
    client = CloudFormation()
    large = StackTemplate(
        NAME, "eu-central-1", {"Resources": {}, "Description": "x" * MOST_TEMPLATE_BYTES}
    )
    put(client, large)
    for request in client.requests:
        assert request["TemplateURL"] == f"https://bucket/{NAME}" and "TemplateBody" not in request


def test_a_protected_stack_is_not_deleted_and_one_that_is_gone_is_no_error() -> None:
    client = CloudFormation("UPDATE_COMPLETE", protected=True)
    with pytest.raises(DeployError, match="set `protected = false` in the stage's file and deploy"):
        Stacks(client, print).delete(NAME)
    assert not client.calls
    Stacks(CloudFormation(), print).delete(NAME)
