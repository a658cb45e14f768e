"""The place of a deployment: everything that differs between deployments."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from chalicelib.configuration.app_settings import SIZES

REST_FUNCTION = "api_handler"
"""The REST API's function; Chalice gives it the name of the deployment itself."""
REPOSITORIES = "default"
"""Source of R packages, unless the deployment sets another: the one that R itself asks."""
PYTHON_REPOSITORIES = "default"
"""Source of Python packages, unless the deployment sets another: the one that pip itself asks."""

LARGEST_SIZE, MOST_INSTANCES_PER_APP, LONGEST_IDLE = SIZES[-1], 10, 86400.0
"""Default ceilings of an app: any size, ten instances, a day without sessions."""


class OtherBucket(NamedTuple):
    """A bucket of another account that syncs may read."""

    name: str
    prefix: str = ""
    """The prefix that syncs may read below; empty, or ends with a slash."""

    @property
    def arn(self) -> str:
        return f"arn:aws:s3:::{self.name}"


class Throttle(NamedTuple):
    """Rates that the stages of the APIs accept from all visitors together.

    API Gateway answers requests above them with 429, and they cost nothing.
    """

    requests_per_second: float = 500.0
    request_burst: int = 1000
    messages_per_second: float = 2000.0
    """WebSockets opened plus frames from browsers."""
    message_burst: int = 4000


@dataclass(frozen=True, slots=True)
class Place:
    """One deployment."""

    stage: str
    region: str
    account: str
    websocket_url: str
    """See :attr:`chalicelib.configuration.deployment.Settings.websocket_url`."""
    connections_url: str
    efs: str
    """Mount point of the file system in tasks."""
    client_dir: str
    """Folder of the browser client's files in tasks."""
    subnets: tuple[str, ...]
    """Public subnets for tasks, one in each zone."""
    task_security_group: str
    function_subnets: tuple[str, ...]
    """Subnets for the functions in the VPC."""
    function_security_group: str
    app: str = "sheen"
    bodies_url: str = ""
    """See :attr:`chalicelib.configuration.deployment.Settings.bodies_url`."""
    bundle_gb: str = "1"
    """Largest size of a bundle, packed and unpacked.

    See :attr:`chalicelib.configuration.deployment.Settings.largest_bundle`.
    """
    repositories: str = REPOSITORIES
    """Sources of R packages; see :attr:`chalicelib.configuration.deployment.Settings.repositories`.
    """
    python_repositories: str = PYTHON_REPOSITORIES
    """Sources of Python packages.

    See :attr:`chalicelib.configuration.deployment.Settings.python_repositories`.
    """
    file_system: str = ""
    """Id of the EFS file system."""
    access_point: str = ""
    """Id of its access point for synced folders."""
    other_buckets: tuple[OtherBucket, ...] = ()
    instance_capacity: str = "FARGATE"
    """The capacity provider of instances, ``FARGATE`` or ``FARGATE_SPOT``."""
    execute_command: bool = False
    """Whether operators may open a shell in a task (ECS Exec)."""
    spares: str = ""
    """Number of spare instances to keep, by size; see :mod:`chalicelib.lives.pool`."""
    most_instances: int = 100
    """Largest number of instances at once, including spares; 0 means no limit."""
    most_held: int = 5
    """Largest number of requests that wait in a Lambda at once for apps to start; 0 means none."""
    edge_proof: str = ""
    """See :attr:`chalicelib.configuration.deployment.Settings.edge_proof`."""
    one_machine: bool = False
    """See :attr:`chalicelib.configuration.deployment.Settings.one_machine`."""
    throttle: Throttle = field(default_factory=Throttle)
    """Rates that the APIs accept."""
    reserves: bool = True
    """Whether functions that keep things alive reserve concurrent executions.

    An account with a low limit has none to spare.
    """
    api_stage: str = "live"
    """The stage of both APIs in API Gateway."""
    websocket_api: str = "*"
    """Id of the WebSocket API, or ``*`` until it exists.

    Chalice makes it after the roles that name it.
    """
    transfer_mode: str = "BASIC"
    """DataSync's task mode, ``BASIC`` or ``ENHANCED``."""
    traced: bool = False
    """Whether X-Ray traces the functions."""
    own_tags: tuple[tuple[str, str], ...] = ()
    """Tags that the operator adds."""
    bucket_name: str = ""
    """Name of the bucket, where bucket names must be globally unique.

    If empty, the bucket has the name of the deployment.
    """
    largest_size: str = LARGEST_SIZE
    """Largest size of an app.

    This and the next two are :class:`chalicelib.apps.ceilings.Ceilings`.
    """
    most_instances_per_app: int = MOST_INSTANCES_PER_APP
    longest_idle: float = LONGEST_IDLE
    app_defaults: Mapping[str, Any] = field(default_factory=dict)
    """What the deployment sets for all apps, by the names of apps' settings."""

    @property
    def base(self) -> str:
        """The deployment's own name, which Chalice also gives to the REST API's function."""
        return f"{self.app}-{self.stage}"

    @property
    def tags(self) -> dict[str, str]:
        """Tags of everything that can have tags; ``stage`` splits the bill and bounds rights."""
        return {"application": self.app, "stage": self.stage, **dict(self.own_tags)}

    @property
    def bucket(self) -> str:
        """The one S3 bucket, which holds bundles, outcomes and large bodies."""
        return self.bucket_name or self.base

    @property
    def cluster(self) -> str:
        """The one ECS cluster."""
        return self.base

    @property
    def prefix(self) -> str:
        """The prefix of the names of everything that exists more than once."""
        return f"{self.base}-"

    def name(self, thing: str) -> str:
        """Return the full name of a table, state machine, task definition or rule."""
        return self.prefix + thing

    def function_name(self, function: str) -> str:
        """Return the name that Chalice gives to a function of ``app.py``."""
        return self.base if function == REST_FUNCTION else self.name(function)

    def log_group(self, name: str) -> str:
        """Return the full name of a log group."""
        return f"/{self.app}/{self.stage}/{name}"

    def role_name(self, role: str) -> str:
        """Return the full name of a role of :meth:`infra.declared.Declared.roles`."""
        return self.name(role)

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource in this region and account."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def table_arn(self, table: str) -> str:
        return self.arn("dynamodb", f"table/{self.name(table)}")

    def bucket_arn(self) -> str:
        return f"arn:aws:s3:::{self.bucket}"

    def cluster_arn(self) -> str:
        return self.arn("ecs", f"cluster/{self.cluster}")

    def task_definition_arn(self, definition: str) -> str:
        """Return the ARN without a revision, as RunTask accepts it."""
        return self.arn("ecs", f"task-definition/{self.name(definition)}")

    def state_machine_arn(self, machine: str) -> str:
        return self.arn("states", f"stateMachine:{self.name(machine)}")

    def function_arn(self, function: str) -> str:
        return self.arn("lambda", f"function:{self.function_name(function)}")

    def topic_arn(self, topic: str) -> str:
        return self.arn("sns", self.name(topic))

    def role_arn(self, role: str) -> str:
        return f"arn:aws:iam::{self.account}:role/{self.role_name(role)}"

    def app_role_arn(self, role: str) -> str:
        """Return the ARN of a role for apps, by its path and name below the deployment's path."""
        return f"arn:aws:iam::{self.account}:role/{self.base}/{role}"

    def connections_arn(self, method: str) -> str:
        """Return the ARN of an HTTP method on all connections of the WebSocket API."""
        return self.arn(
            "execute-api", f"{self.websocket_api}/{self.api_stage}/{method}/@connections/*"
        )
