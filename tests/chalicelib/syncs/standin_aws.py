"""What stands in for the services that a run calls beside DynamoDB: they remember, answer shortly,
and fail when they are told to.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from botocore.exceptions import ClientError

from chalicelib.aws import clients
from chalicelib.configuration.deployment import Settings
from tests.chalicelib.aws_in_process import BUCKET, ENVIRONMENT

PLACE = "us-east-1:123456789012"
SETTINGS = Settings.from_environment(
    ENVIRONMENT
    | {
        "SHEEN_SYNC_STATE_MACHINE": f"arn:aws:states:{PLACE}:stateMachine:sheen-test-sync",
        "SHEEN_SYNC_ROLE": "arn:aws:iam::123456789012:role/sheen-test-datasync",
        "SHEEN_SYNC_SUBNET": f"arn:aws:ec2:{PLACE}:subnet/subnet-1",
        "SHEEN_SYNC_SECURITY_GROUP": f"arn:aws:ec2:{PLACE}:security-group/sg-1",
        "SHEEN_FILE_SYSTEM": f"arn:aws:elasticfilesystem:{PLACE}:file-system/fs-1",
        "SHEEN_ACCESS_POINT": f"arn:aws:elasticfilesystem:{PLACE}:access-point/fsap-1",
        "SHEEN_TOPIC": f"arn:aws:sns:{PLACE}:alarms",
    }
)
assert SETTINGS.bucket == BUCKET


class Services:
    """All of them; each operation is one method."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.fail: dict[str, tuple[str, str]] = {}
        """Operation → code and message."""
        self.there: set[str] = set()
        """ARNs of DataSync's locations and tasks."""
        self.answers: dict[str, dict[str, Any]] = {}
        """Operation → what it answers."""

    def __getattr__(self, operation: str) -> Any:
        def call(**given: Any) -> dict[str, Any]:
            self.calls.append((operation, given))
            if operation in self.fail:
                code, message = self.fail[operation]
                raise ClientError({"Error": {"Code": code, "Message": message}}, operation)
            return self._answer(operation, given)

        return call

    def _answer(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        if operation.startswith("create_"):
            kind = "Task" if operation == "create_task" else "Location"
            arn = f"{kind.lower()}/{len(self.calls)}"
            self.there.add(arn)
            if kind == "Task":
                self.answers["describe_task"] = given
            return {f"{kind}Arn": arn}
        if operation in ("delete_task", "delete_location"):
            self.there.remove(given.get("TaskArn") or given["LocationArn"])
        return self.answers.get(operation, {})

    def of(self, operation: str) -> list[dict[str, Any]]:
        """What an operation was called with."""
        return [given for name, given in self.calls if name == operation]


@contextmanager
def standin_aws() -> Iterator[Services]:
    """Stand in for all of :func:`chalicelib.aws.clients.client`'s clients; PynamoDB has its own."""
    found = Services()
    with patch.object(clients, "client", lambda service, endpoint_url=None: found):
        yield found
