"""The Lambda functions of ``chalice_app/app.py``: size, network, environment and rights of each.

Their routes and triggers are in ``app.py``. ``infra/chalice.py`` makes Chalice's configuration from
these declarations.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.applying.model import ConfigurationRow
from chalicelib.apps.model import App, LocationRow, Version
from chalicelib.configuration.keys import APPLIED, FILES, OUTCOME, PASSWORDS, UPLOAD
from chalicelib.errands.model import Errand
from chalicelib.identity.model import Attempts, Login, User
from chalicelib.identity.signing_in import SIGN_IN
from chalicelib.instances.ceilings.model import Ceiling
from chalicelib.instances.model import Instance
from chalicelib.instances.snapshots import Snapshot
from chalicelib.instances.spares import PREFIX as SPARE
from chalicelib.instances.state import InstanceState, Phase
from chalicelib.publishing.model import Bundle
from chalicelib.scheduler.queue.model import QueuePlace
from chalicelib.sessions.connections.model import ConnectionRow
from chalicelib.syncs.model import Sync
from chalicelib.unix_ids.model import UnixId, UnixUser
from infra.declared import environments, errands, syncs
from infra.declared.bucket import BUNDLES, KEPT, OUTCOMES, TREES
from infra.declared.instances import end_instances, list_and_stop_tasks, tell_visitors
from infra.declared.machines import STATE_MACHINES
from infra.declared.place import Place
from infra.declared.rights import (
    Statement,
    index,
    invoke,
    items,
    nothing,
    objects,
    start,
    stream,
    tokens,
)
from infra.declared.tasks import TASK_DEFINITIONS, run_tasks


def _empty(_place: Place) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class StreamReading:
    """How a function reads a table's stream, in addition to what ``app.py`` says."""

    filters: tuple[Mapping[str, Any], ...]
    """Patterns; a record is sent if it matches at least one of them."""
    retries: int
    record_age_seconds: int
    """Age from which records are dropped."""
    parallel: int = 1
    """How many batches of one shard are read at once; the records of one item stay in order."""

    def parameters(self) -> dict[str, Any]:
        """Return the settings as Lambda's API and CloudFormation take them."""
        return {
            "FilterCriteria": {
                "Filters": [{"Pattern": json.dumps(pattern)} for pattern in self.filters]
            },
            "MaximumRetryAttempts": self.retries,
            "MaximumRecordAgeInSeconds": self.record_age_seconds,
            "BisectBatchOnFunctionError": True,
            "ParallelizationFactor": self.parallel,
            # The function says which records it did not accept (chalicelib.aws.streams).
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        }


@dataclass(frozen=True, slots=True)
class FunctionDeclaration:
    """One function.

    Its log group, ``/aws/lambda/<its full name>``, is made with the deployment's storage, before
    the function.
    """

    name: str
    """Its name in ``app.py``; the REST API's function is ``api_handler``."""
    timeout_seconds: int
    statements: Callable[[Place], Iterable[Statement]] = nothing
    """Rights of the function, beside its log, its traces and its network interface."""
    in_vpc: bool = False
    """Whether it is in the VPC.

    A function in the VPC reaches agents, DynamoDB and S3. A function outside reaches every AWS API,
    but no agent (FACTS E6b).
    """
    memory_mb: int = 256
    environment: Callable[[Place], Mapping[str, str]] = _empty
    """Its variables, in addition to :attr:`infra.declared.Declared.function_environment`."""
    stream: StreamReading | None = None
    reserved: int | None = None
    """Concurrent executions reserved for this function, which are also its maximum.

    See :attr:`infra.declared.Place.reserves`. The functions that keep instances alive and those
    that publish reserve some, so that requests for pages cannot take all of them.
    """
    traced: bool = True
    """Whether X-Ray traces this function, if it traces functions at all."""

    @property
    def role(self) -> str:
        """The name of its role."""
        return f"function-{self.name}"


def function_statements(place: Place, function: FunctionDeclaration) -> Iterable[Statement]:
    """Yield all rights of a function."""
    group = place.arn("logs", f"log-group:/aws/lambda/{place.function_name(function.name)}:*")
    yield Statement("Log", ("logs:CreateLogStream", "logs:PutLogEvents"), (group,))
    if place.traced and function.traced:
        yield Statement(
            "Traces",
            ("xray:PutTraceSegments", "xray:PutTelemetryRecords"),
            ("*",),
            why="X-Ray has no resources that a segment could be written to",
        )
    if function.in_vpc:
        yield Statement(
            "NetworkInterfaces",
            (
                "ec2:CreateNetworkInterface",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSubnets",
                "ec2:DeleteNetworkInterface",
                "ec2:AssignPrivateIpAddresses",
                "ec2:UnassignPrivateIpAddresses",
            ),
            ("*",),
            why="Lambda's service makes the function's interface in the VPC with the "
            "function's role, and checks these actions on *",
        )
    yield from function.statements(place)


def _sweep(place: Place) -> Iterable[Statement]:
    return (
        *end_instances(
            place,
            "Scan",
            "GetItem",
            "Query",
            "PutItem",
            "DeleteItem",
            ceiling=("GetItem", "PutItem", "UpdateItem"),
        ),
        Statement(
            "DescribeTasks",
            ("ecs:DescribeTasks",),
            (place.arn("ecs", f"task/{place.cluster}/*"),),
        ),
        Statement(
            "ListExecutions", ("states:ListExecutions",), (place.state_machine_arn("instance"),)
        ),
        start(place, "instance"),
        items(place, App, "Scan", "GetItem", "UpdateItem"),
        items(place, LocationRow, "PutItem"),
        items(place, QueuePlace, "Scan", "DeleteItem"),
    )


def _configurations(place: Place) -> Iterable[Statement]:
    return (
        items(place, ConfigurationRow, "GetItem", "Query", "PutItem", "DeleteItem"),
        items(place, App, "Scan"),
    )


def _in_vpc() -> tuple[str, ...]:
    return tuple(function.name for function in FUNCTIONS if function.in_vpc)


def _vpc_functions(place: Place) -> Mapping[str, str]:
    return {"SHEEN_VPC_FUNCTIONS": " ".join(map(place.function_name, _in_vpc()))}


_STARTS = StreamReading(
    filters=(
        {
            "eventName": ["INSERT", "MODIFY"],
            "dynamodb": {
                "NewImage": {
                    "state": {"S": [InstanceState.STARTING.value]},
                    "phase": {"S": [Phase.MACHINE.value]},
                }
            },
        },
        {
            "eventName": ["MODIFY"],
            "dynamodb": {
                "NewImage": {
                    "version_id": {"S": [{"prefix": SPARE}]},
                    "state": {"S": [InstanceState.READY.value, InstanceState.STOPPED.value]},
                }
            },
        },
    ),
    retries=50,
    record_age_seconds=300,
)


def _errands(kinds: Mapping[str, str] | Mapping[str, Mapping[str, str]]) -> StreamReading:
    """Return how the errands are read whose ids match."""
    return StreamReading(
        filters=({"eventName": ["INSERT"], "dynamodb": {"Keys": {"id": {"S": [kinds]}}}},),
        retries=50,
        record_age_seconds=900,
        parallel=10,
    )


_SIGN_IN = f"{SIGN_IN}/"
_ERRANDS = _errands({"anything-but": {"prefix": _SIGN_IN}})
_SIGN_INS = _errands({"prefix": _SIGN_IN})


def _trees(place: Place) -> Iterable[Statement]:
    """Allow looking into the trees of apps and files, and reading their files."""
    yield objects(place, TREES, "GetObject")
    yield Statement(
        "ListTrees",
        ("s3:ListBucket",),
        (place.bucket_arn(),),
        conditions={"StringLike": {"s3:prefix": f"{TREES}*"}},
    )


FUNCTIONS = (
    FunctionDeclaration(
        "api_handler",
        29,
        lambda place: (
            # An app in a folder gets its rows, and its user a number, at the first visit.
            items(place, App, "BatchGetItem", "Scan", "GetItem", "PutItem"),
            items(place, Version, "PutItem"),
            items(place, UnixId, "PutItem", "DeleteItem"),
            items(place, UnixUser, "GetItem", "PutItem"),
            items(place, LocationRow, "BatchGetItem"),
            items(place, Instance, "GetItem", "Query", "Scan", "PutItem", "UpdateItem"),
            items(place, QueuePlace, "Query", "PutItem", "UpdateItem", "DeleteItem"),
            items(place, Ceiling, "GetItem", "PutItem", "UpdateItem"),
            items(place, Snapshot, "GetItem", "UpdateItem"),
            items(place, Login, "BatchGetItem", "UpdateItem", "DeleteItem"),
            index(place, Login, "user"),
            items(place, Attempts, "UpdateItem"),
            items(place, Errand, "PutItem", "GetItem", "UpdateItem", "DeleteItem"),
            items(place, ConfigurationRow, "BatchGetItem", "GetItem"),
            objects(place, APPLIED, "GetObject"),
            *_trees(place),
        ),
        in_vpc=True,
        memory_mb=512,
    ),
    FunctionDeclaration(
        "websocket_connect",
        15,
        lambda place: (items(place, ConnectionRow, "PutItem"), items(place, Instance, "GetItem")),
        in_vpc=True,
        memory_mb=512,
    ),
    FunctionDeclaration(
        "websocket_message",
        29,
        lambda place: (items(place, ConnectionRow, "GetItem"), items(place, Instance, "GetItem")),
        in_vpc=True,
        memory_mb=512,
        traced=False,  # a trace of each frame would cost more than the frame
    ),
    FunctionDeclaration(
        "websocket_disconnect",
        29,
        lambda place: (
            items(place, ConnectionRow, "GetItem", "DeleteItem"),
            items(place, Instance, "GetItem"),
            items(place, ConfigurationRow, "GetItem"),
            objects(place, APPLIED, "GetObject"),
        ),
        in_vpc=True,
        memory_mb=512,
    ),
    FunctionDeclaration(
        "on_instance_change",
        30,
        lambda place: (
            stream(place, Instance),
            start(place, "instance"),
            items(place, Instance, "Query", "PutItem", "UpdateItem"),
            items(place, Ceiling, "PutItem", "UpdateItem"),
        ),
        stream=_STARTS,
        reserved=5,
    ),
    FunctionDeclaration(
        "on_errand",
        30,
        errands.doing,
        stream=_ERRANDS,
    ),
    FunctionDeclaration(
        "on_sign_in",
        30,
        lambda place: (
            stream(place, Errand),
            items(place, Errand, "GetItem", "UpdateItem"),
            items(place, User, "GetItem", "ConditionCheckItem"),
            items(place, Login, "PutItem"),
        ),
        memory_mb=1024,  # a hash may take 256 MB, and its time grows with the memory
        stream=_SIGN_INS,
    ),
    FunctionDeclaration(
        "on_task_stopped",
        60,
        lambda place: (
            items(place, Instance, "GetItem", "UpdateItem"),
            items(place, Ceiling, "UpdateItem"),
            # Tasks of all these state machines can die while they hold a token.
            tokens(
                place,
                *(machine.name for machine in STATE_MACHINES if machine.tasks),
                operations=("Failure",),
            ),
            *tell_visitors(place),
        ),
        reserved=5,
    ),
    FunctionDeclaration(
        "task_run",
        30,
        lambda place: (
            *run_tasks(place, [(task.name, task.role) for task in TASK_DEFINITIONS]),
            tokens(
                place,
                *(machine.name for machine in STATE_MACHINES if machine.tasks),
                operations=("Failure",),
            ),
        ),
        reserved=10,
    ),
    FunctionDeclaration(
        "instance_watch",
        30,
        lambda place: (items(place, Instance, "GetItem", "UpdateItem"),),
        in_vpc=True,
        reserved=10,
    ),
    FunctionDeclaration(
        "agents_restart",
        60,
        lambda place: (
            items(place, App, "GetItem", "UpdateItem"),
            items(place, LocationRow, "GetItem"),
            items(place, Instance, "Scan"),
        ),
        in_vpc=True,
    ),
    FunctionDeclaration(
        "logins_end", 60, lambda place: (items(place, Instance, "Scan"),), in_vpc=True
    ),
    FunctionDeclaration(
        "instance_drain",
        30,
        lambda place: (items(place, Instance, "GetItem", "UpdateItem"),),
        reserved=5,
    ),
    FunctionDeclaration(
        "instance_stop",
        60,
        lambda place: list_and_stop_tasks(place, "GetItem", "UpdateItem"),
        reserved=5,
    ),
    FunctionDeclaration("sweeper", 120, _sweep, reserved=1),
    FunctionDeclaration(
        "app_configure",
        30,
        lambda place: (
            items(place, App, "GetItem", "UpdateItem"),
            items(place, LocationRow, "GetItem"),
            items(place, Sync, "GetItem"),
        ),
    ),
    FunctionDeclaration(
        "config_change",
        60,
        lambda place: (
            *_configurations(place),
            objects(place, APPLIED, "GetObject", "DeleteObject"),
            objects(place, PASSWORDS, "DeleteObject"),
        ),
        memory_mb=512,
    ),
    FunctionDeclaration(
        "on_configuration_written",
        60,
        lambda place: (
            *_configurations(place),
            objects(place, APPLIED, "GetObject", "PutObject", "DeleteObject"),
            objects(place, PASSWORDS, "PutObject", "DeleteObject"),
            objects(place, FILES, "GetObject"),
            Statement(
                "ListFiles",
                ("s3:ListBucket",),
                (place.bucket_arn(),),
                conditions={"StringLike": {"s3:prefix": f"{FILES}*"}},
            ),
            Statement("Upload", ("s3:GetObject",), (f"{place.bucket_arn()}/{UPLOAD}",)),
            Statement("Outcome", ("s3:PutObject",), (f"{place.bucket_arn()}/{OUTCOME}",)),
        ),
        memory_mb=512,
    ),
    FunctionDeclaration(
        "keep_active", 30, lambda place: (invoke(place, *_in_vpc()),), environment=_vpc_functions
    ),
    FunctionDeclaration(
        "app_archive",
        60,
        lambda place: (
            *end_instances(place, "Scan"),
            items(place, App, "GetItem", "UpdateItem"),
            items(place, LocationRow, "GetItem"),
        ),
    ),
    FunctionDeclaration(
        "app_delete",
        120,
        lambda place: (
            *end_instances(place, "Scan"),
            items(place, App, "GetItem", "DeleteItem"),
            items(place, LocationRow, "GetItem", "UpdateItem", "DeleteItem"),
            items(place, Version, "Query"),
            items(place, Bundle, "Scan", "DeleteItem"),
            objects(place, BUNDLES, "DeleteObject"),
            objects(place, OUTCOMES, "DeleteObject"),
            start(place, "tidy"),
        ),
    ),
    FunctionDeclaration(
        "instance_fail",
        60,
        lambda place: (
            *list_and_stop_tasks(place, "GetItem", "UpdateItem"),
            *tell_visitors(place),
        ),
        reserved=5,
    ),
    FunctionDeclaration(
        "publish_check",
        30,
        lambda place: (
            items(place, Bundle, "GetItem", "PutItem", "UpdateItem"),
            items(place, App, "GetItem", "PutItem", "UpdateItem", "Scan"),
            items(place, LocationRow, "GetItem", "PutItem"),
            items(place, Sync, "Scan"),
            items(place, UnixId, "GetItem", "PutItem", "DeleteItem"),
            objects(place, OUTCOMES, "PutObject"),
        ),
        reserved=2,
    ),
    FunctionDeclaration(
        "publish_register",
        30,
        lambda place: (items(place, App, "GetItem"), items(place, Version, "PutItem")),
        reserved=2,
    ),
    FunctionDeclaration(
        "publish_activate",
        30,
        lambda place: (
            items(place, App, "GetItem", "UpdateItem"),
            items(place, Version, "Query", "ConditionCheckItem"),
            items(place, Sync, "GetItem"),
        ),
        reserved=2,
    ),
    FunctionDeclaration(
        "publish_report",
        30,
        lambda place: (
            items(place, Bundle, "GetItem", "UpdateItem"),
            objects(place, OUTCOMES, "PutObject"),
        ),
        reserved=2,
    ),
    FunctionDeclaration(
        "tidy_sweep",
        120,
        lambda place: (
            items(place, App, "Scan"),
            items(place, Version, "Scan", "Query"),
            items(place, Instance, "Query"),
            start(place, "tidy"),
        ),
        reserved=1,
    ),
    FunctionDeclaration(
        "tidy_begin",
        30,
        lambda place: (
            items(place, App, "GetItem", "Scan", "ConditionCheckItem"),
            items(place, LocationRow, "GetItem"),
            items(place, Version, "Query", "UpdateItem"),
            items(place, Instance, "Query"),
        ),
    ),
    FunctionDeclaration(
        "tidy_finish",
        30,
        lambda place: (
            items(place, Version, "GetItem", "Query", "DeleteItem"),
            items(place, Bundle, "BatchGetItem", "DeleteItem"),
            objects(place, KEPT, "DeleteObject"),
            objects(place, OUTCOMES, "DeleteObject"),
        ),
    ),
    FunctionDeclaration(
        "publish_reject",
        30,
        lambda place: (
            items(place, Bundle, "GetItem", "PutItem", "UpdateItem"),
            items(place, App, "GetItem"),
            items(place, Version, "PutItem"),
            objects(place, OUTCOMES, "PutObject"),
            start(place, "tidy"),
        ),
        reserved=2,
    ),
    FunctionDeclaration("sync", 900, syncs.asking, environment=environments.syncs),
    FunctionDeclaration("sync_tick", 120, syncs.ticking, environment=environments.syncs),
    FunctionDeclaration("sync_step", 120, syncs.stepping, environment=environments.syncs),
    FunctionDeclaration("sync_follow", 30, syncs.following, environment=environments.syncs),
    FunctionDeclaration("on_object_written", 60, syncs.asking, environment=environments.syncs),
    FunctionDeclaration("on_transfer_change", 30, syncs.following, environment=environments.syncs),
)
