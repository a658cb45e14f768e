"""DataSync's API: a sync's task, the task's executions, and their reports. Outside the VPC."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from botocore.exceptions import ClientError

from chalicelib import layout
from chalicelib.aws import clients, task_tokens
from chalicelib.configuration.deployment import Settings
from chalicelib.failures import Failure
from chalicelib.syncs import keys
from chalicelib.syncs.definition import EVERYTHING, VERIFY, SyncDefinition
from chalicelib.syncs.model import Sync, SyncRun

ENDED = frozenset({"SUCCESS", "ERROR"})
_COMPLETED = re.compile(r"Transfer (and verification )?completed\b")
_CHANGES = ("files_copied", "bytes_copied", "files_deleted")


class TransferArguments(TypedDict):
    """Arguments for StartTaskExecution."""

    task: str
    includes: list[dict[str, str]]
    excludes: list[dict[str, str]]
    options: dict[str, str]


def of_prefixes(
    definition: SyncDefinition, task: str, prefixes: Sequence[str]
) -> TransferArguments:
    """Return the transfer of everything below some prefixes, except urgent objects. Pure.

    Raise :class:`ValueError` if there are no prefixes: such a transfer would copy everything.
    """
    if not prefixes:
        raise ValueError("no prefixes")
    includes: list[str] = (
        [] if "" in prefixes else [keys.prefix_pattern(prefix) for prefix in prefixes]
    )
    excludes = list(definition.exclude)
    if definition.urgent and definition.urgent != EVERYTHING:
        # With the folder's slash, so that an object with the folder's name is not excluded.
        excludes.append(f"{keys.pattern_of(definition.urgent)}*")
    return {
        "task": task,
        "includes": _filter(_within(includes, definition.include)),
        "excludes": _filter(excludes),
        "options": {
            "PreserveDeletedFiles": "REMOVE" if definition.delete else "PRESERVE",
            **_options(definition),
        },
    }


def of_keys(definition: SyncDefinition, task: str, relatives: Sequence[str]) -> TransferArguments:
    """Return the transfer of the given keys only. Pure.

    Raise :class:`ValueError` if there are no keys: such a transfer would copy everything.
    """
    if not relatives:
        raise ValueError("no keys")
    return {
        "task": task,
        "includes": _filter([keys.pattern_of(relative) for relative in relatives]),
        "excludes": _filter(definition.exclude),
        "options": {"PreserveDeletedFiles": "PRESERVE", **_options(definition)},
    }


def _within(asked: Sequence[str], include: Sequence[str]) -> Sequence[str]:
    """Return the requested patterns, or those that the definition includes if none are requested.

    DataSync takes one list. If the definition includes only a part and a requested prefix is not
    within that part, the whole part is transferred.
    """
    if not include or not asked:
        return asked or include
    allowed = keys.matcher(include)
    assert allowed is not None
    inside = [pattern for pattern in asked if allowed.match(pattern.removesuffix("*"))]
    return inside if len(inside) == len(asked) else include


def _filter(patterns: Sequence[str]) -> list[dict[str, str]]:
    return [{"FilterType": "SIMPLE_PATTERN", "Value": "|".join(patterns)}] if patterns else []


def _options(definition: SyncDefinition) -> dict[str, str]:
    return {
        "VerifyMode": VERIFY[definition.verify],
        "OverwriteMode": "ALWAYS",
        "TransferMode": "CHANGED",
        "TaskQueueing": "ENABLED",
        "Mtime": "PRESERVE",
        "Atime": "BEST_EFFORT",
        # Objects do not record users. The folder around them decides who may enter.
        "Uid": "NONE",
        "Gid": "NONE",
        "PosixPermissions": "NONE",
        "LogLevel": "BASIC",
    }


def in_mode(options: Mapping[str, str], mode: str) -> dict[str, str]:
    """Return the options as a task mode takes them. Pure.

    Enhanced mode verifies only the files that it transfers.
    """
    if mode == "ENHANCED" and options["VerifyMode"] == VERIFY["all"]:
        return {**options, "VerifyMode": VERIFY["transferred"]}
    return dict(options)


def ensure_task(row: Sync, definition: SyncDefinition, settings: Settings) -> str:
    """Return the ARN of the sync's DataSync task; make the task if none exists for its source."""
    made_for = json.dumps(
        [
            definition.bucket,
            definition.prefix,
            # One text, as in rows of older deployments, whose tasks are to be kept.
            f"{settings.file_system},{settings.access_point}",
            settings.sync_role,
            settings.sync_log,
            *_unusual(settings),
        ]
    )
    if row.task_arn and row.task_for == made_for and _described(row.task_arn) is not None:
        return str(row.task_arn)
    client = clients.client("datasync")
    locations: list[str] = []
    tags = [{"Key": name, "Value": value} for name, value in settings.tags]
    try:
        locations.append(  # DataSync tests here whether it may list the bucket
            client.create_location_s3(
                S3BucketArn=f"arn:aws:s3:::{definition.bucket}",
                Subdirectory=f"/{definition.prefix}",
                S3Config={"BucketAccessRoleArn": settings.sync_role},
                Tags=tags,
            )["LocationArn"]
        )
        locations.append(
            client.create_location_efs(
                EfsFilesystemArn=settings.file_system,
                AccessPointArn=settings.access_point,
                FileSystemAccessRoleArn=settings.sync_role,
                InTransitEncryption="TLS1_2",
                # Relative to the access point, which is the root of synced folders.
                Subdirectory=f"/{definition.name}/{layout.SYNC_DATA}",
                Ec2Config={
                    "SubnetArn": settings.sync_subnet,
                    "SecurityGroupArns": [settings.sync_security_group],
                },
                Tags=tags,
            )["LocationArn"]
        )
        task: str = client.create_task(
            SourceLocationArn=locations[0],
            DestinationLocationArn=locations[1],
            Name=f"sheen {definition.name} {hashlib.sha256(made_for.encode()).hexdigest()[:8]}",
            CloudWatchLogGroupArn=settings.sync_log,
            Options=in_mode(_options(definition), settings.sync_mode),
            Tags=tags,
            TaskMode=settings.sync_mode,
        )["TaskArn"]
    except ClientError:
        _forget_locations(locations)
        raise
    if row.task_arn:
        forget_task(str(row.task_arn))
    row.update(
        actions=[Sync.task_arn.set(task), Sync.task_for.set(made_for)], condition=Sync.name.exists()
    )
    return task


def _unusual(settings: Settings) -> list[str]:
    """Return the task mode unless it is Basic, the mode of tasks from older deployments."""
    return [] if settings.sync_mode == "BASIC" else [settings.sync_mode]


def forget_task(task: str) -> None:
    """Delete a DataSync task and its locations, if the task still exists."""
    described = _described(task)
    if described is not None:
        clients.client("datasync").delete_task(TaskArn=task)
        _forget_locations([described["SourceLocationArn"], described["DestinationLocationArn"]])


def _forget_locations(locations: Sequence[str]) -> None:
    for location in locations:
        clients.client("datasync").delete_location(LocationArn=location)


def _described(task: str) -> dict[str, Any] | None:
    try:
        described: dict[str, Any] = clients.client("datasync").describe_task(TaskArn=task)
    except ClientError as error:
        if error.response["Error"]["Code"] == "InvalidRequestException":
            return None
        raise
    return described


def look(execution: str) -> dict[str, Any]:
    """Return DataSync's description of an execution."""
    described: dict[str, Any] = clients.client("datasync").describe_task_execution(
        TaskExecutionArn=execution
    )
    return described


def cancel(execution: str) -> None:
    """Stop an execution if it has not ended."""
    try:
        clients.client("datasync").cancel_task_execution(TaskExecutionArn=execution)
    except ClientError as error:
        if error.response["Error"]["Code"] != "InvalidRequestException":
            raise


def counts(described: Mapping[str, Any]) -> dict[str, int]:
    """Return an execution's counts under the names that a run uses. Pure.

    In Enhanced mode DataSync counts failed files. In Basic mode it does not: the number is then
    the files that it planned to transfer or delete and did not, and at least one.
    """

    def number(name: str) -> int:
        return int(described.get(name) or 0)

    told = sum((described.get("FilesFailed") or {}).values())
    missing = told or number("EstimatedFilesToTransfer") - number("FilesTransferred") - number(
        "FilesDeleted"
    )
    failed = max(1, missing) if _ended_without_some(described) else 0
    return {
        "files_seen": number("FilesTransferred") + number("FilesSkipped") + failed,
        "bytes_seen": number("EstimatedBytesToTransfer"),
        "files_copied": number("FilesTransferred"),
        "bytes_copied": number("BytesWritten") or number("BytesTransferred"),
        "files_skipped": number("FilesSkipped"),
        "files_deleted": number("FilesDeleted"),
        "files_failed": failed,
    }


def _ended_without_some(described: Mapping[str, Any]) -> bool:
    """Return whether an execution ran to completion but some files failed. Pure.

    Only the text of its error distinguishes this from other failures.
    """
    return described.get("Status") == "ERROR" and bool(
        _COMPLETED.match((described.get("Result") or {}).get("ErrorDetail") or "")
    )


def outcome(described: Mapping[str, Any]) -> dict[str, Any]:
    """Return what to tell the state machine about an execution that ran to completion. Pure.

    Some files may have failed.
    """
    counted = counts(described)
    return {
        "counts": counted,
        "failures": [("DataSync", described["Result"]["ErrorDetail"][:1000])]
        if counted["files_failed"]
        else [],
    }


def failure(message: str, described: Mapping[str, Any]) -> str:
    """Return the cause to tell the state machine when an execution did not run to completion. Pure.

    The cause includes the changes that the execution made nevertheless.
    """
    counted = counts(described)
    return json.dumps(
        {
            "errorMessage": message[:1000],
            "counts": {name: counted[name] for name in _CHANGES if counted[name]},
        }
    )


def progress(described: Mapping[str, Any]) -> int:
    """Return a number that grows as long as an execution makes progress. Pure."""
    phases = ("QUEUED", "LAUNCHING", "PREPARING", "TRANSFERRING", "VERIFYING")
    status = str(described.get("Status"))
    phase = phases.index(status) if status in phases else len(phases)
    names = (
        "FilesTransferred",
        "BytesTransferred",
        "FilesVerified",
        "FilesSkipped",
        "FilesDeleted",
        "EstimatedFilesToTransfer",
    )
    return phase + sum(int(described.get(name) or 0) for name in names)


def answer(run: SyncRun, described: Mapping[str, Any]) -> bool:
    """Tell the waiting state machine that an execution has ended; return False if it has not."""
    if described["Status"] not in ENDED or not run.token:
        return False
    if described["Status"] == "SUCCESS" or _ended_without_some(described):
        task_tokens.succeed(run.token, outcome(described))
    else:
        result = described.get("Result") or {}
        why = (
            f"DataSync: {result.get('ErrorCode', 'an error')}: "
            f"{result.get('ErrorDetail', 'DataSync does not say more')}"
        )
        task_tokens.fail(run.token, Failure.TRANSFER_FAILED, failure(why, described))
    return True
