"""What syncs need: the rights of functions, task and DataSync, and the topic for failures."""

from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib import layout
from chalicelib.apps.model import App
from chalicelib.publishing.model import Bundle
from chalicelib.syncs.definition import OWN_DATA
from chalicelib.syncs.model import Sync, SyncRequest, SyncRun
from infra.declared import file_system as files
from infra.declared.bucket import BUNDLES
from infra.declared.place import OtherBucket, Place
from infra.declared.rights import (
    Conditions,
    IamRole,
    Statement,
    invoke,
    items,
    objects,
    start,
    tokens,
)


@dataclass(frozen=True, slots=True)
class Topic:
    """An SNS topic that people subscribe to."""

    name: str
    """Its name without the deployment's prefix."""


TOPICS = (Topic("alarms"),)


_LOOKING = (
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "elasticfilesystem:DescribeAccessPoints",
    "elasticfilesystem:DescribeFileSystems",
    "elasticfilesystem:DescribeMountTargets",
)
_INTERFACES = (
    "ec2:CreateNetworkInterface",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:ModifyNetworkInterfaceAttribute",
)
IN_THE_CALLERS_NAME = {
    "CreateLocationEfs": _LOOKING,
    "CreateTask": _INTERFACES,
    "DeleteTask": _INTERFACES,
    "StartTaskExecution": _INTERFACES,
}
"""Operation → actions that DataSync checks with the rights of its caller.

AWS's policy AWSDataSyncFullAccess lists them.
"""


def read_data(place: Place) -> Iterable[Statement]:
    """Allow listing and reading data in the deployment's bucket and in the other buckets."""
    yield _listing("ListData", OtherBucket(place.bucket, OWN_DATA))
    yield from (
        _listing(f"ListOtherData{number}", bucket)
        for number, bucket in enumerate(place.other_buckets)
    )
    yield from _reading(place)


def _listing(sid: str, bucket: OtherBucket) -> Statement:
    below = {"StringLike": {"s3:prefix": f"{bucket.prefix}*"}} if bucket.prefix else {}
    return Statement(sid, ("s3:ListBucket",), (bucket.arn,), conditions=below)


def _reading(place: Place) -> Iterable[Statement]:
    yield objects(place, OWN_DATA, "GetObject")
    if place.other_buckets:
        yield Statement("OtherData", ("s3:GetObject",), _other_objects(place))


def _other_arns(place: Place) -> tuple[str, ...]:
    return tuple(dict.fromkeys(bucket.arn for bucket in place.other_buckets))


def _other_objects(place: Place) -> tuple[str, ...]:
    return tuple(f"{bucket.arn}/{bucket.prefix}*" for bucket in place.other_buckets)


def datasync_role(place: Place) -> IamRole:
    """Declare the role by which DataSync reads buckets.

    It may list whole buckets. When a location is made, DataSync tries HeadBucket, which has no
    prefix to put a condition on.
    """
    buckets = (place.bucket_arn(), *_other_arns(place))
    tagged = (f"{place.bucket_arn()}/{OWN_DATA}*", *_other_objects(place))
    return IamRole(
        "datasync",
        "datasync.amazonaws.com",
        (
            Statement(
                "Buckets",
                ("s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"),
                buckets,
            ),
            *_reading(place),
            Statement("Tags", ("s3:GetObjectTagging",), tagged),
        ),
        mounts=files.write(layout.SYNCED),
    )


def _requests(place: Place) -> Statement:
    return items(place, SyncRequest, "GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query")


def asking(place: Place) -> Iterable[Statement]:
    """Yield the rights of the functions that request a sync."""
    return (
        items(place, Sync, "GetItem", "Scan"),
        _requests(place),
        items(place, SyncRun, "Query"),
        start(place, "sync"),
    )


def following(place: Place) -> Iterable[Statement]:
    """Yield the rights of the functions that watch DataSync."""
    return (
        items(place, Sync, "GetItem", "Scan"),
        items(place, SyncRequest, "GetItem"),
        items(place, SyncRun, "GetItem", "UpdateItem"),
        _executions(place, "DescribeTaskExecution"),
        tokens(place, "sync", operations=("Success", "Failure")),
    )


def ticking(place: Place) -> Iterable[Statement]:
    """Yield the rights of the clock's function."""
    return (
        items(place, Sync, "Scan", "UpdateItem"),
        _requests(place),
        items(place, SyncRun, "GetItem", "UpdateItem"),
        start(place, "sync"),
        Statement("TellFailures", ("sns:Publish",), (place.topic_arn("alarms"),)),
        Statement(
            "LookAtRuns",
            ("states:DescribeExecution",),
            (place.arn("states", f"execution:{place.name('sync')}:*"),),
        ),
        _executions(place, "DescribeTaskExecution"),
        tokens(place, "sync", operations=("Success", "Failure")),
    )


def stepping(place: Place) -> Iterable[Statement]:
    """Yield the rights of the function that a run's state machine calls."""
    return (
        items(place, Sync, "GetItem", "UpdateItem"),
        _requests(place),
        items(place, SyncRun, "GetItem", "UpdateItem"),
        items(place, App, "Scan"),
        start(place, "sync"),
        invoke(place, "agents_restart"),
        Statement("TellFailures", ("sns:Publish",), (place.topic_arn("alarms"),)),
        Statement(
            "KeepLocations",
            ("datasync:DeleteLocation",),
            (place.arn("datasync", "location/*"),),
            conditions=_of_this_stage(place),
        ),
        Statement(
            "MakeTasks",
            ("datasync:CreateLocationS3", "datasync:CreateLocationEfs", "datasync:CreateTask"),
            ("*",),
            conditions=_for_this_stage(place),
            why="what is made has no name yet, and these actions take no other resource",
        ),
        _tagging(place, "location/*", "task/*"),
        Statement("LookAtTasks", ("datasync:DescribeTask",), (place.arn("datasync", "task/*"),)),
        Statement(
            "KeepTasks",
            ("datasync:DeleteTask",),
            (place.arn("datasync", "task/*"),),
            conditions=_of_this_stage(place),
        ),
        Statement(
            "LookAtTheNetwork",
            _LOOKING,
            ("*",),
            why="DataSync checks these with the caller's rights when it makes a location; "
            "the network's take no resource",
        ),
        _interfaces(),
        *_trying(place),
        Statement(
            "GiveDataSyncItsRole",
            ("iam:PassRole",),
            (place.role_arn("datasync"),),
            conditions={"StringEquals": {"iam:PassedToService": "datasync.amazonaws.com"}},
        ),
        *_enhancing(place),
    )


def running(place: Place) -> Iterable[Statement]:
    """Yield the rights of a run's state machine, beside invoking functions."""
    return (
        Statement(
            "Transfer",
            ("datasync:StartTaskExecution",),
            (place.arn("datasync", "task/*"),),
            conditions=_of_this_stage(place),
        ),
        _tagging(place, "task/*"),
        Statement(
            "CancelTransfer",
            ("datasync:CancelTaskExecution",),
            (place.arn("datasync", "task/*"),),
            conditions=_of_this_stage(place),
        ),
        _interfaces(),
    )


def copying(place: Place) -> Iterable[Statement]:
    """Yield the rights of the task that copies urgent files and publishes apps."""
    return (
        *read_data(place),
        items(place, Sync, "GetItem", "UpdateItem"),
        _requests(place),
        items(place, SyncRun, "GetItem", "UpdateItem"),
        tokens(place, "sync"),
        start(place, "sync"),
        objects(place, BUNDLES, "PutObject"),
        items(place, Bundle, "GetItem"),
    )


def _of_this_stage(place: Place) -> Conditions:
    """Match only resources with this deployment's tag.

    The names that DataSync gives to tasks and locations say nothing.
    """
    return {"StringEquals": {"aws:ResourceTag/stage": place.stage}}


def _for_this_stage(place: Place) -> Conditions:
    return {"StringEquals": {"aws:RequestTag/stage": place.stage}}


def _tagging(place: Place, *resources: str) -> Statement:
    """Allow tags at creation, but not tagging what belongs to another stage.

    DataSync requires this right beside that of the action that creates.
    """
    return Statement(
        "Tag",
        ("datasync:TagResource",),
        tuple(place.arn("datasync", resource) for resource in resources),
        conditions={
            "StringEquals": {"aws:RequestTag/stage": place.stage},
            "StringEqualsIfExists": {"aws:ResourceTag/stage": place.stage},
        },
    )


def _enhancing(place: Place) -> Iterable[Statement]:
    """Allow DataSync to make its linked role, for a task in Enhanced mode.

    DataSync makes it with the rights of the caller that makes the task.
    """
    if place.transfer_mode == "ENHANCED":
        yield Statement(
            "MakeLinkedRole",
            ("iam:CreateServiceLinkedRole",),
            (linked_role_arn(place),),
            conditions={"StringEquals": {"iam:AWSServiceName": "datasync.amazonaws.com"}},
        )


def linked_role_arn(place: Place) -> str:
    """Return the ARN of DataSync's linked role in the account."""
    return f"arn:aws:iam::{place.account}:role/aws-service-role/datasync.amazonaws.com/AWSServiceRoleForDataSync"  # noqa: E501


def _interfaces() -> Statement:
    return Statement(
        "TransfersNetwork",
        _INTERFACES,
        ("*",),
        why="DataSync makes its interfaces to the file system with the rights of who makes "
        "or starts a task; they have no names before",
    )


def _trying(place: Place) -> Iterable[Statement]:
    """Allow the check that DataSync makes on a bucket of another account.

    DataSync checks whether the caller that makes the location may list the bucket.
    """
    if place.other_buckets:
        yield Statement("TryOtherBuckets", ("s3:ListBucket",), _other_arns(place))


def _executions(place: Place, operation: str) -> Statement:
    return Statement(
        f"Executions{operation}", (f"datasync:{operation}",), (place.arn("datasync", "task/*"),)
    )
