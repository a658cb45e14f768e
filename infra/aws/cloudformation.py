"""CloudFormation as far as deploying needs it: deploy a stack, delete it, preview changes.

It needs no bootstrapped account and no tool beside boto3, because the templates have no assets.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from infra.aws.errors import DeployError
from infra.aws.synth import StackTemplate

POLL_SECONDS = 3.0
MOST_TEMPLATE_BYTES = 51_200
"""Limit of a template within a request; the templates are ASCII JSON."""
_NOTHING_CHANGES = "No updates are to be performed"
_NEVER_WAS = (
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
    "CREATE_FAILED",
    "DELETE_FAILED",
    "REVIEW_IN_PROGRESS",
)
"""Statuses of a stack that cannot be updated because its creation never succeeded."""
_FAILED = ("FAILED", "ROLLBACK")
REPLACING: Mapping[str, tuple[str, ...]] = {
    "AWS::S3::Bucket": ("BucketName", "BucketNamePrefix", "BucketNamespace"),
    "AWS::DynamoDB::Table": ("TableName", "KeySchema", "ImportSourceSpecification"),
    "AWS::EFS::FileSystem": ("AvailabilityZoneName", "Encrypted", "KmsKeyId", "PerformanceMode"),
    "AWS::KMS::Key": (),
}
"""Type that holds data → properties whose change makes CloudFormation create a new resource.

The new resource is empty.
"""


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """A resource that a deployment would change."""

    action: str
    """``Add``, ``Modify``, ``Replace`` or ``Remove``."""
    resource: str
    """The resource's logical name."""
    kind: str


class Stacks:
    """The stacks of one region.

    ``client`` is boto3's for CloudFormation. ``say`` gets each event of a stack at work.
    """

    def __init__(
        self,
        client: Any,
        say: Callable[[str], None],
        sleep: Callable[[float], None] = time.sleep,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._client, self._say, self._sleep, self._poll_seconds = client, say, sleep, poll_seconds

    def put(
        self,
        template: StackTemplate,
        parameters: Mapping[str, str],
        *,
        protected: bool,
        upload: Callable[[StackTemplate, str], str],
    ) -> dict[str, str]:
        """Create or update the stack to match the template; return its outputs.

        The protection of the stack and its tables against deletion is set after creation, because a
        failed creation must leave nothing behind. ``upload`` stores a template that is too large
        for a request, and returns its URL. Raise :class:`DeployError`.
        """
        name = template.stack
        status = self._settled(name)
        if status in _NEVER_WAS:
            self._say(f"  {name} is {status}: its creation failed before; it is made anew")
            self.delete(name)
            status = None
        began = datetime.now(UTC)
        if status is None:
            self._client.create_stack(**self._request(deletable(template), parameters, upload))
            self._wait(name, began)
            began = datetime.now(UTC)
        if self._update(self._request(template, parameters, upload)):
            self._wait(name, began)
        if bool((self._describe(name) or {}).get("EnableTerminationProtection")) is not protected:
            self._client.update_termination_protection(
                StackName=name, EnableTerminationProtection=protected
            )
        return self.outputs(name)

    def delete(self, name: str) -> None:
        """Delete the stack, if it exists, and wait until it is gone; raise :class:`DeployError`."""
        stack = self._describe(name)
        if stack is None:
            return
        if stack.get("EnableTerminationProtection"):
            raise DeployError(
                f"{name} is protected against deletion; set `protected = false` in the "
                "stage's file and deploy, then destroy"
            )
        began = datetime.now(UTC)
        self._client.delete_stack(StackName=stack["StackId"])
        self._wait(stack["StackId"], began)

    def outputs(self, name: str) -> dict[str, str]:
        """Return the stack's outputs, or nothing if it does not exist.

        Outputs that only other stacks use are left out.
        """
        stack = self._describe(name) or {}
        outputs = {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", ())}
        # CDK's own outputs, from stack to stack.
        return {key: value for key, value in outputs.items() if not key.startswith("ExportsOutput")}

    def retained(self, template: StackTemplate) -> list[tuple[str, str]]:
        """Return type and name of the stack's resources that outlive it.

        Return nothing if the stack does not exist.
        """
        if self._describe(template.stack) is None:
            return []
        pages = self._client.get_paginator("list_stack_resources").paginate(
            StackName=template.stack
        )
        return [
            (one["ResourceType"], one["PhysicalResourceId"])
            for page in pages
            for one in page["StackResourceSummaries"]
            if template.body["Resources"].get(one["LogicalResourceId"], {}).get("DeletionPolicy")
            == "Retain"
        ]

    def changes(self, template: StackTemplate) -> list[ResourceChange]:
        """Return what deploying the template would change, compared with the deployed template.

        Parameters are not compared.
        """
        deployed: Mapping[str, Any] = {}
        stack = self._describe(template.stack)
        if stack is not None and stack["StackStatus"] != "REVIEW_IN_PROGRESS":
            body = self._client.get_template(StackName=template.stack, TemplateStage="Original")[
                "TemplateBody"
            ]
            deployed = json.loads(body) if isinstance(body, str) else body
        return compare(deployed.get("Resources", {}), template.body["Resources"])

    def _request(
        self,
        template: StackTemplate,
        parameters: Mapping[str, str],
        upload: Callable[[StackTemplate, str], str],
    ) -> dict[str, Any]:
        text = json.dumps(template.body, separators=(",", ":"))
        return {
            "StackName": template.stack,
            **(
                {"TemplateBody": text}
                if len(text) <= MOST_TEMPLATE_BYTES
                else {"TemplateURL": upload(template, text)}
            ),
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
            "Capabilities": ["CAPABILITY_NAMED_IAM"],
            # Retained resources have fixed names. If a resource were kept when its own creation is
            # rolled back, the next run could not create it.
            "RetainExceptOnCreate": True,
        }

    def _update(self, request: Mapping[str, Any]) -> bool:
        """Begin an update; return whether anything changes."""
        try:
            self._client.update_stack(**request)
        except ClientError as error:
            if _NOTHING_CHANGES in str(error):
                return False
            raise DeployError(
                f"{request['StackName']}: CloudFormation refuses the change: {error}"
            ) from error
        return True

    def _settled(self, name: str) -> str | None:
        """Wait until the stack is at rest, for example after another run.

        Return its status, or None if it does not exist.
        """
        while True:
            stack = self._describe(name)
            status = stack["StackStatus"] if stack else None
            if (
                status is None
                or not status.endswith("_IN_PROGRESS")
                or status == "REVIEW_IN_PROGRESS"
            ):
                return status
            self._say(f"{name} is {status}: waiting for that to end")
            self._sleep(self._poll_seconds)

    def _wait(self, name: str, began: datetime) -> None:
        """Wait until the operation ends, and report each event.

        Raise :class:`DeployError` with the reasons of a failure.
        """
        told: set[str] = set()
        reasons: list[str] = []
        while True:
            stack = self._describe(name)
            for event in reversed(self._events(name, began)):
                if event["EventId"] not in told:
                    told.add(event["EventId"])
                    reason = event.get("ResourceStatusReason", "")
                    self._say(
                        (
                            f"  {event['ResourceStatus']:<26} {event['LogicalResourceId']} {reason}"
                        ).rstrip()
                    )
                    if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in reason:
                        reasons.append(f"{event['LogicalResourceId']}: {reason}")
            status = stack["StackStatus"] if stack else "DELETE_COMPLETE"
            if not status.endswith("_IN_PROGRESS"):
                break
            self._sleep(self._poll_seconds)
        if any(word in status for word in _FAILED):
            raise DeployError(
                f"{name} is {status}: {'; '.join(reasons) or 'see its events in the console'}"
            )

    def _events(self, name: str, began: datetime) -> list[Any]:
        try:
            events = self._client.describe_stack_events(StackName=name)["StackEvents"]
        except ClientError:
            return []
        return [
            event
            for event in events
            if event["Timestamp"].replace(tzinfo=UTC) >= began.replace(microsecond=0)
        ]

    def _describe(self, name: str) -> Any:
        try:
            stack = self._client.describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return None if stack["StackStatus"] == "DELETE_COMPLETE" else stack


def deletable(template: StackTemplate) -> StackTemplate:
    """Return the template with deletable tables, so that a failed creation can be rolled back.

    This function is pure.
    """
    resources = {
        name: {**one, "Properties": {**one["Properties"], "DeletionProtectionEnabled": False}}
        if one.get("Properties", {}).get("DeletionProtectionEnabled")
        else one
        for name, one in template.body["Resources"].items()
    }
    return StackTemplate(template.stack, template.region, {**template.body, "Resources": resources})


def compare(deployed: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[ResourceChange]:
    """Return how the resources of one template differ from those of another.

    This function is pure.
    """
    added = [
        ResourceChange("Add", name, one["Type"])
        for name, one in wanted.items()
        if name not in deployed
    ]
    removed = [
        ResourceChange("Remove", name, one["Type"])
        for name, one in deployed.items()
        if name not in wanted
    ]
    modified = [
        ResourceChange(
            "Replace" if _replaces(one, wanted[name]) else "Modify", name, wanted[name]["Type"]
        )
        for name, one in deployed.items()
        if name in wanted and one != wanted[name]
    ]
    return [*removed, *modified, *added]


def _replaces(deployed: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    before, after = deployed.get("Properties", {}), wanted.get("Properties", {})
    return deployed["Type"] != wanted["Type"] or any(
        before.get(name) != after.get(name) for name in REPLACING.get(wanted["Type"], ())
    )
