"""AWS's services in this process, by moto behind a lock (FACTS M1), with Sheen's tables in them."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import boto3
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID  # type: ignore[attr-defined]
from moto.core.botocore_stubber import BotocoreStubber
from moto.dynamodb.models import dynamodb_backends

from chalicelib.aws import clients
from chalicelib.aws.tables import bind
from chalicelib.configuration.deployment import Settings
from chalicelib.lambdas.schema import TABLES
from infra.emulator.dynamodb import limits as dynamodb_limits
from tests.support.connections import forget_connections

BUCKET = "sheen-test"
PREFIX = "sheen-test-"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "SHEEN_BUCKET": BUCKET,
    "SHEEN_TABLE_PREFIX": PREFIX,
    "SHEEN_WEBSOCKET_URL": "/socket",
    "SHEEN_CLUSTER": "sheen-test",
    "SHEEN_CONNECTIONS_URL": "https://sockets.example/socket",
    "SHEEN_INSTANCE_STATE_MACHINE": "arn:aws:states:us-east-1:123456789012:stateMachine:sheen-test-instance",  # noqa: E501
}
REGION = "us-east-1"
ACCOUNT = str(DEFAULT_ACCOUNT_ID)


def empty_tables() -> None:
    """Forget all rows, as if the tables had just been made."""
    backend = dynamodb_backends[ACCOUNT][REGION]
    for table in TABLES:
        backend.get_table(PREFIX + table.short_name).items.clear()


@contextmanager
def aws_in_process() -> Iterator[Counter[str]]:
    """Yield a count of DynamoDB calls by operation."""
    lock = threading.Lock()
    calls: Counter[str] = Counter()
    unlocked = BotocoreStubber.__call__

    def locked(self: BotocoreStubber, event_name: str, request: Any, **kwargs: Any) -> Any:
        with lock:
            operation = event_name.split(".")
            if operation[1] == "dynamodb":
                calls[operation[2]] += 1
                dynamodb_limits.check(json.loads(request.body))
            return unlocked(self, event_name, request, **kwargs)

    with (
        patch.dict("os.environ", ENVIRONMENT),
        patch.object(BotocoreStubber, "__call__", locked),
        mock_aws(),
    ):
        clients.client.cache_clear()
        bind(Settings.from_environment(), *TABLES)
        forget_connections(*TABLES)
        for table in TABLES:
            table.create_table(wait=True, billing_mode="PAY_PER_REQUEST")
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        calls.clear()
        yield calls
        forget_connections(*TABLES)
        clients.client.cache_clear()
