"""Settings that the deployment passes to its parts in environment variables.

Lambdas, the agent, tasks and the command all read this one settings object.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from chalicelib.errors import SettingMissing

PREFIX = "SHEEN_"
GIGABYTE = 1024**3
MOST_BUNDLE_GB = 5
"""The limit of one PUT and of one copy within S3."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One deployment of Sheen, as its parts see it.

    Each field is read from the environment variable ``SHEEN_<FIELD>``. AWS's endpoints and
    credentials come from the variables that every AWS SDK obeys. So nothing here knows whether it
    runs on AWS or on one machine.
    """

    bucket: str
    """S3 bucket of bundles, outcomes and bodies too large for a gateway."""
    table_prefix: str
    """Prefix of DynamoDB tables, which are named ``<prefix><name>``."""
    websocket_url: str
    """The WebSocket API's URL for browsers: absolute (``wss://…``) or a path on the page's host."""
    instance_state_machine: str = ""
    """ARN of the state machine of an instance's life; only for parts that start instances."""
    cluster: str = ""
    """ECS cluster of the instances; only for parts that stop tasks."""
    connections_url: str = ""
    """URL of ``@connections``, for posts to browsers; only agents and functions outside the VPC."""
    subnets: str = ""
    """Subnets for tasks, separated by commas; only for parts that run tasks."""
    task_security_group: str = ""
    """Security group of tasks; only for parts that run tasks."""
    execute_command: bool = False
    """Whether operators may open a shell in a task (ECS Exec); only for parts that run tasks."""
    spares: str = ""
    """Number of spare instances by size; see :mod:`chalicelib.lives.pool`. Only functions."""
    most_instances: int = 0
    """The most instances in the deployment, including spares; 0: any number. Only functions."""
    most_held: int = 0
    """The most requests that wait in Lambdas at once for apps to start; 0: none. Only functions."""
    edge_proof: str = ""
    """Proof by which functions recognise CloudFront; empty: there is no CloudFront.

    See :mod:`chalicelib.visits.address`. Only functions.
    """
    efs: str = ""
    """Where the file system with the apps' versions is mounted; only tasks."""
    bodies_url: str = ""
    """URL of S3 for browsers; only the agent.

    Absolute, or ``/`` for the page's own host; empty: AWS's own endpoint.
    """
    largest_bundle: int = GIGABYTE
    """The most bytes of a bundle, packed and unpacked; only parts that publish.

    The variable ``SHEEN_BUNDLE_GB`` has it in GB, at most 5.
    """
    script_state_machine: str = ""
    """ARN of the state machine that runs an app's scripts; only for parts that start it."""
    app_roles: str = ""
    """ARN prefix of the roles that apps may have; only the agent."""
    log_group: str = ""
    """CloudWatch log group of the workers' logs; only the agent and parts that read them."""

    repositories: str = ""
    """Sources of R packages; only the task that builds.

    See :class:`tasks.packages.repositories.Repositories`.
    """
    python_repositories: str = ""
    """Sources of Python packages; only the task that builds.

    See :class:`tasks.packages.indexes.Indexes`.
    """
    sync_state_machine: str = ""
    """ARN of the state machine of a sync's run; only for parts that start runs."""
    sync_role: str = ""
    """ARN of the role with which DataSync reads buckets.

    This and the next four are only for parts that make DataSync's tasks.
    """
    sync_mode: str = "BASIC"
    """DataSync's task mode, ``BASIC`` or ``ENHANCED``."""
    sync_log: str = ""
    """ARN of the CloudWatch log group where DataSync logs the files that it could not copy."""
    sync_network: str = ""
    """ARNs of the subnet and the security group for DataSync, separated by a comma.

    Through them DataSync reaches the file system.
    """
    file_system: str = ""
    """ARNs of the file system and its access point for synced folders, separated by a comma."""
    other_buckets: tuple[str, ...] = ()
    """Other buckets that syncs may read, each as ``<bucket>/<prefix>``.

    Blanks separate them in the variable. Only parts that define syncs.
    """
    vpc_functions: tuple[str, ...] = ()
    """Full names of the functions in the VPC; only the part that keeps them active.

    Blanks separate them in the variable.
    """
    tags: tuple[tuple[str, str], ...] = ()
    """The deployment's tags; only parts that make DataSync's tasks.

    The variable has them in the form of a URL's query.
    """
    topic: str = ""
    """ARN of the SNS topic for failures; only functions outside the VPC."""
    largest_size: str = ""
    """The largest size that an app may have; empty: any.

    This and the next two are :class:`chalicelib.apps.ceilings.Ceilings`.
    """
    most_instances_per_app: int = 0
    """The most instances that an app may have; 0: any number."""
    longest_idle: float = 0.0
    """The most seconds for which an app may keep an instance without sessions; 0: any time."""

    def function_name(self, function: str) -> str:
        """Return the full name of a function of ``app.py``, other than the REST API's."""
        return self.table_prefix + function

    def state_machine(self, name: str) -> str:
        """Return the ARN of another state machine; only for parts that start instances."""
        return f"{self.instance_state_machine.rpartition(':')[0]}:{self.table_prefix}{name}"

    @property
    def secret_prefix(self) -> str:
        """Prefix of the secrets that apps may have, in Secrets Manager: ``sheen-prod/``."""
        return self.table_prefix.removesuffix("-") + "/"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings; raise :class:`SettingMissing` that names a missing variable."""

        def required(name: str) -> str:
            variable = PREFIX + name.upper()
            try:
                return environment[variable]
            except KeyError:
                raise SettingMissing(
                    f'environment variable {variable} is not set; `eval "$(sheen env)"` sets it'
                ) from None

        def optional(name: str) -> str:
            return environment.get(PREFIX + name.upper(), "")

        return cls(
            bucket=required("bucket"),
            table_prefix=required("table_prefix"),
            websocket_url=optional("websocket_url"),
            instance_state_machine=optional("instance_state_machine"),
            cluster=optional("cluster"),
            connections_url=optional("connections_url"),
            subnets=optional("subnets"),
            task_security_group=optional("task_security_group"),
            execute_command=optional("execute_command") == "true",
            spares=optional("spares"),
            most_instances=int(optional("most_instances") or 0),
            most_held=int(optional("most_held") or 0),
            edge_proof=optional("edge_proof"),
            efs=optional("efs"),
            bodies_url=optional("bodies_url"),
            sync_state_machine=optional("sync_state_machine"),
            sync_role=optional("sync_role"),
            sync_mode=optional("sync_mode") or "BASIC",
            sync_log=optional("sync_log"),
            sync_network=optional("sync_network"),
            file_system=optional("file_system"),
            other_buckets=tuple(optional("other_buckets").split()),
            vpc_functions=tuple(optional("vpc_functions").split()),
            tags=tuple(parse_qsl(optional("tags"))),
            topic=optional("topic"),
            largest_size=optional("largest_size"),
            most_instances_per_app=int(optional("most_instances_per_app") or 0),
            longest_idle=float(optional("longest_idle") or 0),
            repositories=optional("repositories"),
            python_repositories=optional("python_repositories"),
            largest_bundle=largest_bundle(optional("bundle_gb")),
            script_state_machine=optional("script_state_machine"),
            log_group=optional("log_group"),
            app_roles=optional("app_roles"),
        )


def largest_bundle(text: str) -> int:
    """Return a number of gigabytes (empty: one) in bytes; raise :class:`SettingMissing`."""
    try:
        gigabytes = float(text or 1)
    except ValueError:
        gigabytes = 0.0
    if not 0 < gigabytes <= MOST_BUNDLE_GB:
        raise SettingMissing(
            f"environment variable SHEEN_BUNDLE_GB is {text!r}; it must be a number of "
            f"gigabytes, at most {MOST_BUNDLE_GB}"
        )
    return int(gigabytes * GIGABYTE)
