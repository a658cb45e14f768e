"""What a deployment of Sheen consists of beside its Lambdas, declared once, as data.

``infra/local`` makes the local stack from this, and AWS's stacks are made from it too. The Lambdas themselves (their settings, routes and
triggers) are declared by ``chalice_app``: its ``app.py`` and ``.chalice/config.json``. What differs between deployments comes in as a
:class:`Place`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from chalicelib.apps.model import App, Version
from chalicelib.bodies.keys import PREFIX as BODIES
from chalicelib.bundles.model import Bundle
from chalicelib.connections.model import Connection
from chalicelib.instances.model import Instance
from chalicelib.tables import Table

TREE = Path(__file__).resolve().parents[1]
EXPIRY_ATTRIBUTE = "expires_at"
"""A model that has it has its TTL by it (FACTS D1)."""


@dataclass(frozen=True, slots=True)
class Place:
    """One deployment: all that is not the same everywhere."""

    stage: str
    region: str
    account: str
    websocket_url: str
    """As :attr:`chalicelib.settings.Settings.websocket_url`."""
    connections_url: str
    efs: str
    """Where tasks have the file system."""
    client_dir: str
    """Where tasks have the browser client's files."""
    subnets: tuple[str, str]
    """Public, for tasks, in two zones."""
    task_security_group: str
    app: str = "sheen"
    bodies_url: str = ""
    """As :attr:`chalicelib.settings.Settings.bodies_url`."""
    bundle_gb: str = "1"
    """How much a bundle may have, packed and unpacked; see :attr:`chalicelib.settings.Settings.largest_bundle`."""

    @property
    def base(self) -> str:
        """The deployment's own name, as Chalice gives it to the REST API's function."""
        return f"{self.app}-{self.stage}"

    @property
    def bucket(self) -> str:
        """The one S3 bucket of bundles, outcomes and large bodies."""
        return self.base

    @property
    def cluster(self) -> str:
        """The one ECS cluster."""
        return self.base

    @property
    def prefix(self) -> str:
        """Begins the name of everything of which there are several."""
        return f"{self.base}-"

    def name(self, thing: str) -> str:
        """Return the full name of a table, state machine, function, task definition or rule."""
        return self.prefix + thing

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource in this region and account."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def state_machine_arn(self, machine: str) -> str:
        return self.arn("states", f"stateMachine:{self.name(machine)}")

    def function_arn(self, function: str) -> str:
        return self.arn("lambda", f"function:{self.name(function)}")


@dataclass(frozen=True, slots=True)
class TableDeclaration:
    """A DynamoDB table, billed by request."""

    name: str
    """Without the deployment's prefix."""
    keys: Mapping[str, str]
    """Key attribute → HASH or RANGE, in this order."""
    attribute_types: Mapping[str, str]
    indexes: tuple[Mapping[str, Any], ...] = ()
    """GlobalSecondaryIndexes as CreateTable takes them."""
    ttl_attribute: str | None = None
    stream: str | None = None
    """StreamViewType, when it has a stream."""
    kept: bool = False
    """It holds what people published and configured: back it up, and never lose it."""

    def definition(self, place: Place) -> dict[str, Any]:
        """Return CreateTable's parameters."""
        definition: dict[str, Any] = {
            "TableName": place.name(self.name),
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": name, "KeyType": kind} for name, kind in self.keys.items()],
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in self.attribute_types.items()],
        }
        if self.indexes:
            definition["GlobalSecondaryIndexes"] = [dict(index) for index in self.indexes]
        if self.stream:
            definition["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": self.stream}
        return definition


@dataclass(frozen=True, slots=True)
class BucketRules:
    """How long the one bucket keeps what, and which pages may use its presigned URLs."""

    expiring: Mapping[str, int]
    """Key prefix → days after which objects below it are deleted, and multipart uploads given up."""
    cors: tuple[Mapping[str, Any], ...] = ()
    """CORSRules as PutBucketCors takes them."""

    def lifecycle(self) -> list[dict[str, Any]]:
        """Return the rules as PutBucketLifecycleConfiguration takes them."""
        return [
            {
                "ID": prefix.strip("/"),
                "Status": "Enabled",
                "Filter": {"Prefix": prefix},
                "Expiration": {"Days": days},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": days},
            }
            for prefix, days in self.expiring.items()
        ]


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """What a Fargate task runs, on a machine of which size."""

    name: str
    command: tuple[str, ...]
    environment: Callable[[Place], Mapping[str, str]]
    cpu: int
    memory_mb: int
    stop_timeout_seconds: int = 30
    kind: str = ""
    """The name of its one container and of its role; those that differ in size only share it. Its own name, if empty."""
    s3: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Key prefix → what its role may do with the bucket's objects below it, beside what its other rights are."""

    @property
    def container(self) -> str:
        """The name of its one container, and of its role."""
        return self.kind or self.name

    def s3_statements(self, place: Place) -> list[dict[str, Any]]:
        """Return the IAM statements of :attr:`s3`."""
        return [
            {"Effect": "Allow", "Action": list(actions), "Resource": f"arn:aws:s3:::{place.bucket}/{prefix}*"}
            for prefix, actions in self.s3.items()
        ]


@dataclass(frozen=True, slots=True)
class StateMachine:
    """A standard workflow. Its file's ``${Name}`` are replaced as CloudFormation's DefinitionSubstitutions do."""

    name: str
    file: Path
    functions: tuple[str, ...] = ()
    """Functions that it invokes: ``instance_watch`` is ``${InstanceWatchFunction}``, an ARN."""


@dataclass(frozen=True, slots=True)
class Rule:
    """An EventBridge rule that starts a state machine with the event as its input."""

    name: str
    pattern: Callable[[Place], Mapping[str, Any]]
    state_machine: str


@dataclass(frozen=True, slots=True)
class Declared:
    """All of it."""

    tables: tuple[TableDeclaration, ...]
    task_definitions: tuple[TaskDefinition, ...] = ()
    state_machines: tuple[StateMachine, ...] = ()
    rules: tuple[Rule, ...] = ()
    bucket: BucketRules = field(default_factory=lambda: BucketRules({}))
    function_environment: Callable[[Place, bool], Mapping[str, str]] = field(default=lambda _place, _in_vpc: {})
    """What every function gets, by whether it is in the VPC, beside what its Chalice configuration says."""

    def substitutions(self, place: Place, machine: StateMachine) -> dict[str, str]:
        """Return what a state machine's ``${…}`` stand for: ``Cluster``, ``Bucket``, ``SubnetA``, ``SubnetB``,
        ``TaskSecurityGroup``, ``<Name>TaskDefinition``, ``<Name>Function``, and
        ``AgentFamily``, which a size makes a task definition of."""
        return {
            "Bucket": place.bucket,
            "Cluster": place.cluster,
            "SubnetA": place.subnets[0],
            "SubnetB": place.subnets[1],
            "TaskSecurityGroup": place.task_security_group,
            "AgentFamily": place.name(agent_of("")),
            **{f"{_camel(task.name)}TaskDefinition": place.name(task.name) for task in self.task_definitions},
            **{f"{_camel(function)}Function": place.function_arn(function) for function in machine.functions},
        }


class Machine(NamedTuple):
    """How much of a machine an instance gets."""

    cpu: int
    """1024 are one processor."""
    memory_mb: int


MACHINES: Mapping[str, Machine] = {
    "small": Machine(256, 512),
    "medium": Machine(256, 1024),
    "large": Machine(512, 1024),
    "xlarge": Machine(1024, 2048),
    "xxlarge": Machine(1024, 4096),
    "xxxlarge": Machine(2048, 8192),
}
"""By :data:`chalicelib.apps.settings.SIZES`; Fargate sells no other pairs than it lists."""


def agent_of(size: str) -> str:
    """Return the name of the task definition of an instance of this size."""
    return f"agent_{size}"


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def table(model: type[Table], *, stream: str | None = None) -> TableDeclaration:
    """Declare the table that a model is the schema of."""
    schema = model._get_schema()
    keys = {key["AttributeName"]: key["KeyType"] for key in schema["key_schema"]}
    return TableDeclaration(
        name=model.short_name,
        keys=dict(sorted(keys.items(), key=lambda item: item[1])),  # HASH comes before RANGE
        attribute_types={attribute["AttributeName"]: attribute["AttributeType"] for attribute in schema["attribute_definitions"]},
        indexes=tuple(
            {"IndexName": index["index_name"], "KeySchema": index["key_schema"], "Projection": index["projection"]}
            for index in schema["global_secondary_indexes"]
        ),
        ttl_attribute=EXPIRY_ATTRIBUTE if EXPIRY_ATTRIBUTE in model.get_attributes() else None,
        stream=stream,
        kept=model.kept,
    )


BUNDLES = "bundles/"
"""Uploads below this key publish."""

_BODIES_RIGHTS = ("s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")

_FOR_PAGES = (
    {
        # A page comes from whatever domain the apps have; it is the URL's signature that lets it in, for one object and method.
        "AllowedOrigins": ["*"],
        "AllowedMethods": ["GET", "HEAD", "PUT"],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": ["ETag", "Accept-Ranges", "Content-Range", "Content-Disposition", "Content-Encoding"],
        "MaxAgeSeconds": 3600,
    },
)


def _common_environment(place: Place) -> dict[str, str]:
    """The settings (:class:`chalicelib.settings.Settings`) that everything needs."""
    return {
        "SHEEN_BUCKET": place.bucket,
        "SHEEN_TABLE_PREFIX": place.prefix,
        "SHEEN_WEBSOCKET_URL": place.websocket_url,
    }


def _outside_environment(place: Place) -> dict[str, str]:
    """The settings of what reaches every AWS API (FACTS E6b)."""
    return {
        **_common_environment(place),
        "SHEEN_CONNECTIONS_URL": place.connections_url,
        "SHEEN_CLUSTER": place.cluster,
        "SHEEN_INSTANCE_STATE_MACHINE": place.state_machine_arn("instance"),
        "SHEEN_BUNDLE_GB": place.bundle_gb,
    }


def _function_environment(place: Place, in_vpc: bool) -> dict[str, str]:
    return _common_environment(place) if in_vpc else _outside_environment(place)


def _task_environment(place: Place) -> dict[str, str]:
    return {
        **_common_environment(place),
        "SHEEN_CONNECTIONS_URL": place.connections_url,
        "SHEEN_EFS": place.efs,
        "SHEEN_CLIENT_DIR": place.client_dir,
        "SHEEN_BODIES_URL": place.bodies_url,
    }


def _build_environment(place: Place) -> dict[str, str]:
    return {**_task_environment(place), "SHEEN_BUNDLE_GB": place.bundle_gb}


def admin_environment(place: Place) -> dict[str, str]:
    """Return what the ``sheen`` command needs to know of the deployment."""
    return _outside_environment(place)


def _bundle_uploaded(place: Place) -> dict[str, Any]:
    return {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [place.bucket]}, "object": {"key": [{"prefix": BUNDLES}]}},
    }


DECLARED = Declared(
    tables=(
        table(App),
        table(Version),
        table(Bundle),
        table(Instance, stream="NEW_AND_OLD_IMAGES"),
        table(Connection),
    ),
    task_definitions=(
        *(
            TaskDefinition(
                agent_of(size),
                ("python", "-m", "agent"),
                _task_environment,
                machine.cpu,
                machine.memory_mb,
                kind="agent",
                s3={BODIES: _BODIES_RIGHTS},
            )
            for size, machine in MACHINES.items()
        ),
        TaskDefinition("build", ("python", "-m", "tasks.build"), _build_environment, cpu=1024, memory_mb=2048),
    ),
    state_machines=(
        StateMachine(
            "instance",
            TREE / "statemachines" / "instance.asl.json",
            ("instance_watch", "instance_drain", "instance_stop", "instance_fail"),
        ),
        StateMachine(
            "publish",
            TREE / "statemachines" / "publish.asl.json",
            ("publish_register", "publish_activate", "publish_reject"),
        ),
    ),
    rules=(Rule("bundle-uploaded", _bundle_uploaded, "publish"),),
    bucket=BucketRules({BODIES: 1}, _FOR_PAGES),
    function_environment=_function_environment,
)
