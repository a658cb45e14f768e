"""Where a deployment is: all that is not the same everywhere."""

from dataclasses import dataclass, field
from typing import NamedTuple

from chalicelib.configuration.app_settings import SIZES

REST_FUNCTION = "api_handler"
"""Chalice calls the REST API's function by the deployment's own name."""
REPOSITORIES = "https://cloud.r-project.org"
"""Where R packages come from, unless the deployment says something else."""
PYTHON_REPOSITORIES = "https://pypi.org/simple"
"""Where Python packages come from, likewise."""

LARGEST_SIZE, MOST_INSTANCES_PER_APP, LONGEST_IDLE = SIZES[-1], 10, 86400.0
"""What an app may have at most, unless the deployment says something else: any size, ten instances, a day without sessions."""


class OtherBucket(NamedTuple):
    """A bucket of another account that syncs may read."""

    name: str
    prefix: str = ""
    """Only what is below it; empty, or ends with a slash."""

    @property
    def arn(self) -> str:
        return f"arn:aws:s3:::{self.name}"


class Throttle(NamedTuple):
    """What the stages of the APIs let through, of all visitors together; the rest is answered with 429, and costs nothing."""

    requests_per_second: float = 500.0
    request_burst: int = 1000
    messages_per_second: float = 2000.0
    """WebSockets that are opened, and frames from browsers."""
    message_burst: int = 4000


@dataclass(frozen=True, slots=True)
class Place:
    """One deployment."""

    stage: str
    region: str
    account: str
    websocket_url: str
    """As :attr:`chalicelib.configuration.deployment.Settings.websocket_url`."""
    connections_url: str
    efs: str
    """Where tasks have the file system."""
    client_dir: str
    """Where tasks have the browser client's files."""
    subnets: tuple[str, ...]
    """Public, for tasks, one in each zone."""
    task_security_group: str
    function_subnets: tuple[str, ...]
    """For the functions in the VPC."""
    function_security_group: str
    app: str = "sheen"
    bodies_url: str = ""
    """As :attr:`chalicelib.configuration.deployment.Settings.bodies_url`."""
    bundle_gb: str = "1"
    """How much a bundle may have, packed and unpacked; see :attr:`chalicelib.configuration.deployment.Settings.largest_bundle`."""
    repositories: str = REPOSITORIES
    """Where R packages come from; see :attr:`chalicelib.configuration.deployment.Settings.repositories`."""
    python_repositories: str = PYTHON_REPOSITORIES
    """Where Python packages come from; see :attr:`chalicelib.configuration.deployment.Settings.python_repositories`."""
    file_system: str = ""
    """Id of the EFS file system."""
    access_point: str = ""
    """Id of its access point for synced folders."""
    other_buckets: tuple[OtherBucket, ...] = ()
    instance_capacity: str = "FARGATE"
    """The capacity provider of instances: ``FARGATE``, or ``FARGATE_SPOT``."""
    execute_command: bool = False
    """Whether operators may open a shell in a task (ECS Exec)."""
    spares: str = ""
    """How many spare instances there are to be, by size; see :mod:`chalicelib.lives.pool`."""
    most_instances: int = 100
    """Instances that there may be at once, spares counted; 0: any number."""
    most_held: int = 5
    """Requests that may wait in a Lambda at once for apps to start; 0: none waits."""
    edge_proof: str = ""
    """As :attr:`chalicelib.configuration.deployment.Settings.edge_proof`."""
    throttle: Throttle = field(default_factory=Throttle)
    """How much the APIs let through."""
    reserves: bool = True
    """Whether functions that keep things alive have concurrent executions of their own; an account with few has none to spare."""
    api_stage: str = "live"
    """API Gateway's stage of both APIs."""
    websocket_api: str = "*"
    """Id of the WebSocket API; ``*`` as long as it is not there: Chalice makes it, after the roles that name it."""
    transfer_mode: str = "BASIC"
    """DataSync's task mode: ``BASIC``, or ``ENHANCED``."""
    traced: bool = False
    """Whether X-Ray traces the functions."""
    own_tags: tuple[tuple[str, str], ...] = ()
    """The operator's own tags."""
    bucket_name: str = ""
    """Where bucket names must be unique in the world; else the bucket has the deployment's own name."""
    largest_size: str = LARGEST_SIZE
    """The largest size that an app may have; this and the next two are :class:`chalicelib.apps.ceilings.Ceilings`."""
    most_instances_per_app: int = MOST_INSTANCES_PER_APP
    longest_idle: float = LONGEST_IDLE

    @property
    def base(self) -> str:
        """The deployment's own name, as Chalice gives it to the REST API's function."""
        return f"{self.app}-{self.stage}"

    @property
    def tags(self) -> dict[str, str]:
        """The tags of everything that can have tags. The bill is split, and rights are bounded, by ``stage``."""
        return {"application": self.app, "stage": self.stage, **dict(self.own_tags)}

    @property
    def bucket(self) -> str:
        """The one S3 bucket of bundles, outcomes and large bodies."""
        return self.bucket_name or self.base

    @property
    def cluster(self) -> str:
        """The one ECS cluster."""
        return self.base

    @property
    def prefix(self) -> str:
        """Begins the name of everything of which there are several."""
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
        """Return the ARN without a revision, as RunTask takes it."""
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
        """Return the ARN of a role that apps may be given, by its path and name below the deployment's path."""
        return f"arn:aws:iam::{self.account}:role/{self.base}/{role}"

    def connections_arn(self, method: str) -> str:
        """Return the ARN of an HTTP method on all connections of the WebSocket API."""
        return self.arn("execute-api", f"{self.websocket_api}/{self.api_stage}/{method}/@connections/*")
