"""The local DataSync has AWS's rules: what it is told wrongly is refused as AWS refuses it."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.stack import StackProcess
from tests.support.syncing import StackSync
from tests.support.waiting import until

SUBNET, GROUP = (
    "arn:aws:ec2:us-east-1:123456789012:subnet/s",
    "arn:aws:ec2:us-east-1:123456789012:security-group/g",
)
FILES = "arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/fs-1"


@pytest.fixture(scope="module")
def sync(stack: StackProcess) -> StackSync:
    found = StackSync(stack, "rules")
    found.put("f", b"1")
    found.run()
    return found


def task_of(sync: StackSync) -> str:
    table = f"{sync.bucket}-syncs"
    row = sync.stack.client("dynamodb").get_item(TableName=table, Key={"name": {"S": sync.name}})[
        "Item"
    ]
    return str(row["task_arn"]["S"])


def pattern(value: str) -> list[dict[str, str]]:
    return [{"FilterType": "SIMPLE_PATTERN", "Value": value}]


@pytest.mark.parametrize(
    "parameters",
    [
        {"Includes": pattern("/a*b")},
        {"Includes": pattern("/x") + pattern("/y")},
        {"Includes": pattern("/" + "x" * 102_400)},
        {"OverrideOptions": {"VerifyMode": "SOMETIMES"}},
        {"TaskArn": "arn:aws:datasync:us-east-1:123456789012:task/task-0123456789abcdef0"},
    ],
)
def test_an_execution_that_breaks_a_rule_is_refused(
    sync: StackSync, parameters: dict[str, Any]
) -> None:
    client = sync.stack.client("datasync")
    with pytest.raises(ClientError, match="InvalidRequestException"):
        client.start_task_execution(**{"TaskArn": task_of(sync), **parameters})


def test_executions_of_a_task_come_one_after_the_other_and_can_be_cancelled(
    sync: StackSync,
) -> None:
    client = sync.stack.client("datasync")
    sync.stack.control("POST", "/faults", {"transfer_stall": 1.0})
    try:
        first, second = (
            client.start_task_execution(TaskArn=task_of(sync))["TaskExecutionArn"] for _ in range(2)
        )
        until(
            lambda: client.describe_task_execution(TaskExecutionArn=first)["Status"] == "PREPARING",
            what="the first",
        )
        assert client.describe_task_execution(TaskExecutionArn=second)["Status"] == "QUEUED"
        for execution in (first, second):
            client.cancel_task_execution(TaskExecutionArn=execution)
            until(
                partial(_has_failed, client, execution),
                what="its end",
            )
        with pytest.raises(ClientError, match="has ended"):
            client.cancel_task_execution(TaskExecutionArn=first)
    finally:
        sync.stack.control("POST", "/faults", {})


def test_locations_have_to_be_whole(sync: StackSync) -> None:
    client = sync.stack.client("datasync")
    with pytest.raises(ClientError, match="TLS1_2"):
        client.create_location_efs(
            EfsFilesystemArn=FILES,
            AccessPointArn="arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-1",
            Ec2Config={"SubnetArn": SUBNET, "SecurityGroupArns": [GROUP]},
        )
    with pytest.raises(ClientError, match="was not found"):
        client.create_task(SourceLocationArn="arn:x", DestinationLocationArn="arn:y")


@pytest.mark.parametrize(
    ("bucket", "folder", "told"),
    [
        ("no-such-bucket", "/", "location access test failed"),
        ("sheen-local", "/data/year=2026/", "does not match"),
    ],
)
def test_a_source_that_cannot_be_read_is_refused_at_once(
    sync: StackSync, bucket: str, folder: str, told: str
) -> None:
    with pytest.raises(ClientError, match=told):
        sync.stack.client("datasync").create_location_s3(
            S3BucketArn=f"arn:aws:s3:::{bucket}",
            Subdirectory=folder,
            S3Config={"BucketAccessRoleArn": "arn:aws:iam::1:role/x"},
        )


def test_a_bucket_that_may_not_be_read_any_more_is_the_runs_reason(sync: StackSync) -> None:
    other = StackSync(sync.stack, "elsewhere")
    settings = {"schedule": "never", "retries": 0, "bucket": "gone-bucket"}
    sync.stack.client("dynamodb").update_item(
        TableName=f"{sync.bucket}-syncs",
        Key={"name": {"S": "elsewhere"}},
        UpdateExpression="SET settings = :settings",
        ExpressionAttributeValues={":settings": {"S": json.dumps(settings)}},
    )
    found = other.run()
    assert found["status"] == "failed"
    assert (
        "AccessDenied" in found["runs"][0]["message"]
        and "gone-bucket" in found["runs"][0]["message"]
    )


def test_a_removed_sync_leaves_no_task_and_no_location(sync: StackSync) -> None:
    other = StackSync(sync.stack, "short")
    made = Path(sync.stack.data) / "datasync.json"
    before = set(json.loads(made.read_text()))
    other.run()
    assert len(set(json.loads(made.read_text())) - before) == 3
    assert sync.stack.sheen("sync", "remove", "short").returncode == 0
    assert set(json.loads(made.read_text())) == before


def test_a_destination_that_is_not_there_is_said(sync: StackSync) -> None:
    client = sync.stack.client("datasync")
    source = client.create_location_s3(
        S3BucketArn=f"arn:aws:s3:::{sync.bucket}",
        Subdirectory="/data/rules/",
        S3Config={"BucketAccessRoleArn": "arn:aws:iam::1:role/x"},
    )
    target = client.create_location_efs(
        EfsFilesystemArn=FILES,
        Subdirectory="/nowhere",
        Ec2Config={"SubnetArn": SUBNET, "SecurityGroupArns": [GROUP]},
    )
    task = client.create_task(
        SourceLocationArn=source["LocationArn"], DestinationLocationArn=target["LocationArn"]
    )["TaskArn"]
    with pytest.raises(ClientError, match="/nowhere does not exist"):
        client.start_task_execution(TaskArn=task)


def _has_failed(client: Any, execution: str) -> bool:
    described = client.describe_task_execution(TaskExecutionArn=execution)
    return bool(described["Status"] == "ERROR")
