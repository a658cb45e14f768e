"""Settings that the deployment passes to its parts in environment variables.

Lambdas, the agent, tasks and the command all read this one settings object.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from chalicelib.configuration.arn import NONE, Arn
from chalicelib.configuration.declaring import setting
from chalicelib.configuration.environment import read
from chalicelib.configuration.rules import Rule, words_to

GIGABYTE = 1024**3
MOST_BUNDLE_GB = 5
"""The limit of one PUT and of one copy within S3."""


def _bundle_gb(text: str) -> float:
    if not 0 < float(text) <= MOST_BUNDLE_GB:
        raise ValueError
    return float(text)


BUNDLE_GB = Rule(_bundle_gb, f"a number of gigabytes, at most {MOST_BUNDLE_GB}", "2")


@dataclass(frozen=True, slots=True)
class Settings:
    """One deployment of Sheen, as its parts see it.

    Each field is read from the environment variable ``SHEEN_<FIELD>``. AWS's endpoints and
    credentials come from the variables that every AWS SDK obeys. So nothing here knows whether it
    runs on AWS or on one machine.
    """

    bucket: str = setting()
    """S3 bucket of bundles, outcomes and bodies too large for a gateway."""
    table_prefix: str = setting()
    """Prefix of DynamoDB tables, which are named ``<prefix><name>``."""
    websocket_url: str = setting(default="")
    """The WebSocket API's URL for browsers: absolute (``wss://…``) or a path on the page's host."""
    instance_state_machine: Arn = setting(default=NONE)
    """ARN of the state machine of an instance's life; only for parts that start instances."""
    cluster: str = setting(default="")
    """ECS cluster of the instances; only for parts that stop tasks."""
    connections_url: str = setting(default="")
    """URL of ``@connections``, for posts to browsers; only agents and functions outside the VPC."""
    subnets: tuple[str, ...] = setting(
        # Code is deployed before its variables, and older ones have commas.
        Rule(lambda text: tuple(text.replace(",", " ").split()), "subnets, separated by blanks"),
        default=(),
    )
    """Subnets for tasks; only for parts that run tasks."""
    task_security_group: str = setting(default="")
    """Security group of tasks; only for parts that run tasks."""
    execute_command: bool = setting(default=False)
    """Whether operators may open a shell in a task (ECS Exec); only for parts that run tasks."""
    spares: str = setting(default="")
    """Number of spare instances by size; see :mod:`chalicelib.lives.pool`. Only functions."""
    most_instances: int = setting(default=0)
    """The most instances in the deployment, including spares; 0: any number. Only functions."""
    most_held: int = setting(default=0)
    """The most requests that wait in Lambdas at once for apps to start; 0: none. Only functions."""
    edge_proof: str = setting(default="")
    """Proof by which functions recognise CloudFront; empty: there is no CloudFront.

    See :mod:`chalicelib.visits.address`. Only functions.
    """
    one_machine: bool = setting(default=False)
    """Whether everything runs on one machine. Only functions.

    The health check tells its load, and a configuration's apps run in their folders.
    """
    efs: str = setting(default="")
    """Where the file system with the apps' versions is mounted; only tasks."""
    trees: Mapping[str, str] = setting(
        Rule(words_to, "FOLDER=PREFIX words, quoted as for a shell"), default_factory=dict
    )
    """Folders of a ``shiny-server.conf``, and the prefixes below ``site/`` that have their content.

    Only functions.
    """
    bodies_url: str = setting(default="")
    """URL of S3 for browsers; only the agent and functions.

    Absolute, or ``/`` for the page's own host; empty: AWS's own endpoint.
    """
    bundle_gb: float = setting(BUNDLE_GB, default=1.0)
    """The most GB of a bundle, packed and unpacked; only parts that publish."""
    script_state_machine: Arn = setting(default=NONE)
    """ARN of the state machine that runs an app's scripts; only for parts that start it."""
    app_roles: str = setting(default="")
    """ARN prefix of the roles that apps may have; only the agent."""
    log_group: str = setting(default="")
    """CloudWatch log group of the workers' logs; only the agent and parts that read them."""

    repositories: str = setting(default="")
    """Sources of R packages; only the task that builds.

    See :class:`tasks.packages.repositories.Repositories`.
    """
    python_repositories: str = setting(default="")
    """Sources of Python packages; only the task that builds.

    See :class:`tasks.packages.indexes.Indexes`.
    """
    sync_state_machine: Arn = setting(default=NONE)
    """ARN of the state machine of a sync's run; only for parts that start runs."""
    sync_role: Arn = setting(default=NONE)
    """ARN of the role with which DataSync reads buckets.

    This and the next six are only for parts that make DataSync's tasks.
    """
    sync_mode: str = setting(default="BASIC")
    """DataSync's task mode, ``BASIC`` or ``ENHANCED``."""
    sync_log: Arn = setting(default=NONE)
    """ARN of the CloudWatch log group where DataSync logs the files that it could not copy."""
    sync_subnet: Arn = setting(default=NONE)
    """ARN of the subnet through which DataSync reaches the file system."""
    sync_security_group: Arn = setting(default=NONE)
    """ARN of the security group through which DataSync reaches the file system."""
    file_system: Arn = setting(default=NONE)
    """ARN of the file system."""
    access_point: Arn = setting(default=NONE)
    """ARN of the file system's access point for synced folders."""
    other_buckets: tuple[str, ...] = setting(default=())
    """Other buckets that syncs may read, each as ``<bucket>/<prefix>``.

    Only parts that define syncs.
    """
    vpc_functions: tuple[str, ...] = setting(default=())
    """Full names of the functions in the VPC; only the part that keeps them active."""
    tags: tuple[tuple[str, str], ...] = setting(
        Rule(lambda text: tuple(parse_qsl(text)), "tags in the form of a URL's query"), default=()
    )
    """The deployment's tags; only parts that make DataSync's tasks."""
    topic: Arn = setting(default=NONE)
    """ARN of the SNS topic for failures; only functions outside the VPC."""
    largest_size: str = setting(default="")
    """The largest size that an app may have; empty: any.

    This and the next two are :class:`chalicelib.apps.ceilings.Ceilings`.
    """
    most_instances_per_app: int = setting(default=0)
    """The most instances that an app may have; 0: any number."""
    longest_idle: float = setting(default=0.0)
    """The most seconds for which an app may keep an instance without sessions; 0: any time."""
    app_defaults: Mapping[str, str] = setting(
        Rule(words_to, "NAME=VALUE words, quoted as for a shell"), default_factory=dict
    )
    """What the deployment sets for all apps; only parts that read apps' settings."""

    @property
    def largest_bundle(self) -> int:
        """The most bytes of a bundle, packed and unpacked."""
        return int(self.bundle_gb * GIGABYTE)

    def function_name(self, function: str) -> str:
        """Return the full name of a function of ``app.py``, other than the REST API's."""
        return self.table_prefix + function

    def state_machine(self, name: str) -> Arn:
        """Return the ARN of another state machine; only for parts that start instances."""
        return self.instance_state_machine.beside(self.table_prefix + name)

    @property
    def secret_prefix(self) -> str:
        """Prefix of the secrets that apps may have, in Secrets Manager: ``sheen-prod/``."""
        return self.table_prefix.removesuffix("-") + "/"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings; raise :class:`SettingMissing` that names a variable."""
        return read(cls, environment)
