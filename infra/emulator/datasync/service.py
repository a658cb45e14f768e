"""The part of DataSync's API that copies from S3 to EFS, with its rules and errors."""

import asyncio
import itertools
import json
import re
import secrets
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
from aiohttp import web
from botocore.config import Config
from botocore.exceptions import ClientError

from infra.emulator.aws_errors import AwsError
from infra.emulator.datasync.execution import ENDED, VERIFY, Copier, Execution, Runner
from infra.emulator.events.bus import EventBus
from infra.emulator.keys import AccessKey
from infra.emulator.settings import ACCOUNT, REGION, EmulatorSettings
from infra.emulator.transfer_faults import TransferFate

QUEUED_AT_MOST = 50
"""Executions of one task (AWS's quota)."""
FILTER_CHARACTERS = 102_400
"""Limit of one filter: all its patterns and the ``|`` between them."""
EXECUTIONS_KEPT = 500
_ARN = f"arn:aws:datasync:{REGION}:{ACCOUNT}:"
_EFS = re.compile(r"arn:aws:elasticfilesystem:[a-z0-9-]+:\d{12}:file-system/[\w-]*")
_LOCATABLE = re.compile(r"[a-zA-Z0-9_+./()-]")
_OPTIONS = {
    "VerifyMode": ("POINT_IN_TIME_CONSISTENT", "ONLY_FILES_TRANSFERRED", "NONE"),
    "OverwriteMode": ("ALWAYS", "NEVER"),
    "Atime": ("NONE", "BEST_EFFORT"),
    "Mtime": ("NONE", "PRESERVE"),
    "Uid": ("NONE", "INT_VALUE", "NAME", "BOTH"),
    "Gid": ("NONE", "INT_VALUE", "NAME", "BOTH"),
    "PreserveDeletedFiles": ("PRESERVE", "REMOVE"),
    "PosixPermissions": ("NONE", "PRESERVE"),
    "TaskQueueing": ("ENABLED", "DISABLED"),
    "LogLevel": ("OFF", "BASIC", "TRANSFER"),
    "TransferMode": ("CHANGED", "ALL"),
}


class DataSync:
    """Locations, tasks and executions; locations and tasks survive a restart of the stack."""

    def __init__(
        self,
        settings: EmulatorSettings,
        key: AccessKey,
        bus: EventBus,
        fate: Callable[[int], TransferFate],
        copier: Copier,
        *,
        access_point: str,
        tags: Mapping[str, str],
    ) -> None:
        """Create the service.

        ``key`` is used to read S3. ``fate`` returns what happens to the n-th execution.
        ``copier`` copies. The file system's access points begin at the folder ``access_point``.
        Locations and tasks that an earlier version made without tags get ``tags``.
        """
        self._settings = settings
        self._file = settings.data / "datasync.json"
        self._made: dict[str, dict[str, Any]] = (
            json.loads(self._file.read_text()) if self._file.exists() else {}
        )
        for made in self._made.values():
            made.setdefault("tags", dict(tags))
        self._bus = bus
        self._fate = fate
        self._fates: dict[str, TransferFate] = {}
        self._executions: dict[str, Execution] = {}
        self._numbers = itertools.count()
        self._runner = Runner(settings, copier, key.environment(), self._changed)
        self._access_point = access_point
        self._s3 = boto3.client(
            "s3",
            region_name=REGION,
            endpoint_url=settings.endpoint,
            aws_access_key_id=key.key_id,
            aws_secret_access_key=key.secret,
            config=Config(s3={"addressing_style": "path"}),
        )

    async def handle(
        self, _request: web.Request, operation: str, body: bytes, _key: AccessKey
    ) -> web.Response | None:
        """Answer an operation."""
        parameters: dict[str, Any] = json.loads(body or b"{}")
        if operation == "CreateLocationS3":
            await asyncio.to_thread(self._test_access, parameters)
        operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "CreateLocationS3": self._create_location_s3,
            "CreateLocationEfs": self._create_location_efs,
            "CreateTask": self._create_task,
            "DescribeTask": self._describe_task,
            "DeleteTask": self._delete_task,
            "DeleteLocation": self._delete_location,
            "StartTaskExecution": self._start,
            "DescribeTaskExecution": lambda given: self._execution(given).document(),
            "CancelTaskExecution": self._cancel,
        }
        if operation not in operations:
            raise AwsError(
                "InvalidRequestException", f"the local stack's DataSync has no {operation}"
            )
        return web.json_response(
            operations[operation](parameters), content_type="application/x-amz-json-1.1"
        )

    def tags_of(self, arn: str) -> Mapping[str, str]:
        """Return the tags of a location, a task or an execution; none if it does not exist."""
        execution = self._executions.get(arn)
        tags: Mapping[str, str] = (
            execution.tags if execution else self._made.get(arn, {}).get("tags", {})
        )
        return tags

    async def stop(self) -> None:
        """End all executions, as if the machine were switched off."""
        await self._runner.stop()

    def _create_location_s3(self, given: Mapping[str, Any]) -> dict[str, Any]:
        bucket, prefix = _source(given)
        return self._make(
            "location", "LocationArn", {"bucket": bucket, "prefix": prefix, "tags": _tags(given)}
        )

    def _test_access(self, given: Mapping[str, Any]) -> None:
        """Test the access to the bucket, as AWS does when the location is made."""
        bucket, prefix = _source(given)
        try:
            self._s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
        except ClientError as error:
            raise AwsError(
                "InvalidRequestException", f"DataSync location access test failed: {error}"
            ) from None

    def _create_location_efs(self, given: Mapping[str, Any]) -> dict[str, Any]:
        network = given.get("Ec2Config", {})
        if (
            not _EFS.fullmatch(given.get("EfsFilesystemArn", ""))
            or not network.get("SubnetArn")
            or not network.get("SecurityGroupArns")
        ):
            raise AwsError("InvalidRequestException", "EfsFilesystemArn or Ec2Config is not valid.")
        if given.get("AccessPointArn") and given.get("InTransitEncryption") != "TLS1_2":
            raise AwsError(
                "InvalidRequestException", "An access point needs InTransitEncryption TLS1_2."
            )
        below = f"/{self._access_point}" if given.get("AccessPointArn") else ""
        return self._make(
            "location",
            "LocationArn",
            {"folder": below + given.get("Subdirectory", "/"), "tags": _tags(given)},
        )

    def _create_task(self, given: Mapping[str, Any]) -> dict[str, Any]:
        source, target = (
            self._found(given.get("SourceLocationArn", "")),
            self._found(given.get("DestinationLocationArn", "")),
        )
        if "bucket" not in source or "folder" not in target:
            raise AwsError(
                "InvalidRequestException", "the local stack's DataSync copies from S3 to EFS only."
            )
        options = given.get("Options", {})
        mode = given.get("TaskMode", "BASIC")
        _check_options(options, mode)
        locations = {name: given[name] for name in ("SourceLocationArn", "DestinationLocationArn")}
        task = {
            "source": source,
            "target": target,
            "options": options,
            "name": given.get("Name", ""),
            "locations": locations,
        }
        return self._make("task", "TaskArn", {**task, "mode": mode, "tags": _tags(given)})

    def _describe_task(self, given: Mapping[str, Any]) -> dict[str, Any]:
        task = self._found(given.get("TaskArn", ""))
        return {
            "TaskArn": given["TaskArn"],
            "Status": "AVAILABLE",
            "Name": task["name"],
            "Options": task["options"],
            **task["locations"],
        }

    def _delete_task(self, given: Mapping[str, Any]) -> dict[str, Any]:
        if self._unfinished(given.get("TaskArn", "")):
            raise AwsError(
                "InvalidRequestException", "The task has executions that have not ended."
            )
        return self._delete(given.get("TaskArn", ""))

    def _delete_location(self, given: Mapping[str, Any]) -> dict[str, Any]:
        arn = given.get("LocationArn", "")
        if any(arn in made.get("locations", {}).values() for made in self._made.values()):
            raise AwsError("InvalidRequestException", "The location is in use by a task.")
        return self._delete(arn)

    def _delete(self, arn: str) -> dict[str, Any]:
        self._found(arn)
        del self._made[arn]
        self._keep()
        return {}

    def _unfinished(self, task: str) -> int:
        return sum(
            each.arn.startswith(f"{task}/") and each.status not in ENDED
            for each in self._executions.values()
        )

    def _start(self, given: Mapping[str, Any]) -> dict[str, Any]:
        arn = given.get("TaskArn", "")
        task = self._found(arn)
        options = {**task["options"], **given.get("OverrideOptions", {})}
        mode = task.get("mode", "BASIC")
        _check_options(options, mode)
        waiting = self._unfinished(arn)
        if (waiting and options.get("TaskQueueing") == "DISABLED") or waiting >= QUEUED_AT_MOST:
            raise AwsError("InvalidRequestException", "Too many executions of the task are queued.")
        source, number = task["source"], next(self._numbers)
        folder = self._settings.efs / task["target"]["folder"].strip("/")
        if not folder.is_dir():
            raise AwsError(
                "InvalidRequestException",
                f"The destination {task['target']['folder']} does not exist.",
            )
        execution = Execution(
            arn=f"{arn}/execution/exec-{secrets.token_hex(8)}0",
            number=number,
            job={
                "bucket": source["bucket"],
                "prefix": source["prefix"],
                "folder": str(folder),
                "incoming": str(_beside(folder)),
                "include": _patterns(given.get("Includes", ()), only_at_end=True),
                "exclude": _patterns(given.get("Excludes", ()), only_at_end=False),
                "delete": options.get("PreserveDeletedFiles") == "REMOVE",
                "verify": VERIFY[options.get("VerifyMode", "POINT_IN_TIME_CONSISTENT")],
            },
            filters={name: given[name] for name in ("Includes", "Excludes") if given.get(name)},
            options=options,
            tags=_tags(given),
            mode=mode,
        )
        self._forget_old()
        self._executions[execution.arn] = execution
        fate = self._fates[execution.arn] = self._fate(number)
        self._runner.start(arn, execution, fate)
        return {"TaskExecutionArn": execution.arn}

    def _cancel(self, given: Mapping[str, Any]) -> dict[str, Any]:
        execution = self._execution(given)
        if execution.status in ENDED:
            raise AwsError("InvalidRequestException", "The task execution has ended.")
        execution.cancelled.set()
        return {}

    def _execution(self, given: Mapping[str, Any]) -> Execution:
        try:
            return self._executions[given.get("TaskExecutionArn", "")]
        except KeyError:
            raise AwsError("InvalidRequestException", "The task execution was not found.") from None

    def _found(self, arn: str) -> dict[str, Any]:
        try:
            return self._made[arn]
        except KeyError:
            raise AwsError(
                "InvalidRequestException", f"{arn or 'Nothing'} was not found."
            ) from None

    def _make(self, kind: str, name: str, what: dict[str, Any]) -> dict[str, Any]:
        arn = f"{_ARN}{kind}/{'loc' if kind == 'location' else kind}-{secrets.token_hex(8)}0"
        self._made[arn] = what
        self._keep()
        return {name: arn}

    def _keep(self) -> None:
        unfinished = self._file.with_suffix(".new")
        unfinished.write_text(json.dumps(self._made, indent=1))
        unfinished.replace(self._file)

    def _changed(self, execution: Execution) -> None:
        if not self._fates[execution.arn].lose:
            self._bus.publish(
                "aws.datasync",
                "DataSync Task Execution State Change",
                {"State": execution.status},
                [execution.arn],
            )

    def _forget_old(self) -> None:
        ended = [arn for arn, each in self._executions.items() if each.status in ENDED]
        for arn in ended[: max(0, len(self._executions) - EXECUTIONS_KEPT)]:
            del self._executions[arn], self._fates[arn]


def _tags(given: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in given.get("Tags", ())}


def _source(given: Mapping[str, Any]) -> tuple[str, str]:
    match = re.fullmatch(r"arn:aws:s3:::([a-z0-9.-]{3,63})", given.get("S3BucketArn", ""))
    if match is None or not given.get("S3Config", {}).get("BucketAccessRoleArn"):
        raise AwsError("InvalidRequestException", "S3BucketArn or S3Config is not valid.")
    prefix: str = given.get("Subdirectory", "/").lstrip("/")
    if not all(_LOCATABLE.match(each) or unicodedata.category(each) == "Zs" for each in prefix):
        raise AwsError(
            "InvalidRequestException",
            "Subdirectory does not match ^[a-zA-Z0-9_\\-\\+\\./\\(\\)\\p{Zs}]*$.",
        )
    return match[1], prefix


def _beside(folder: Path) -> Path:
    """Return the folder for incomplete files.

    DataSync's own are beside their places, under names of its own.
    """
    return folder.parent / ".incoming" / "datasync"


def _check_options(options: Mapping[str, Any], mode: str) -> None:
    if mode not in ("BASIC", "ENHANCED"):
        raise AwsError("InvalidRequestException", f"TaskMode is not valid: {mode}.")
    if mode == "ENHANCED" and options.get("VerifyMode") == "POINT_IN_TIME_CONSISTENT":
        raise AwsError("InvalidRequestException", "Enhanced mode verifies transferred data only.")
    for name, value in options.items():
        if name not in _OPTIONS or value not in _OPTIONS[name]:
            raise AwsError("InvalidRequestException", f"Option {name} is not valid: {value}.")


def _patterns(rules: Any, *, only_at_end: bool) -> list[str]:
    if len(rules) > 1:
        raise AwsError("InvalidRequestException", "There is more than one filter rule.")
    found: list[str] = []
    for rule in rules:
        value = rule.get("Value", "")
        if (
            rule.get("FilterType") != "SIMPLE_PATTERN"
            or not value
            or len(value) > FILTER_CHARACTERS
            or "\0" in value
        ):
            raise AwsError("InvalidRequestException", "A filter rule is not valid.")
        found += _split(value)
    for pattern in found:
        if only_at_end and re.search(r"(?<!\\)(?:\\\\)*\*(?=.)", pattern, re.DOTALL):
            raise AwsError(
                "InvalidRequestException",
                f"Include pattern {pattern}: a wildcard is supported at the end only.",
            )
    return found


def _split(value: str) -> list[str]:
    """Return the patterns of a filter: its parts between ``|`` that no backslash precedes."""
    return [
        part for part in re.findall(r"((?:\\.|[^\\|])*)(?:\||\Z|\\\Z)", value, re.DOTALL) if part
    ]
