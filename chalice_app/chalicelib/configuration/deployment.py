"""The one settings object: what the deployment tells a Lambda, the agent, a task or the command, by environment variables."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from chalicelib.errors import SettingMissing

PREFIX = "SHEEN_"
GIGABYTE = 1024**3
MOST_BUNDLE_GB = 5
"""What one PUT and one copy within S3 take."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One deployment of Sheen, as its parts see it.

    Each field is read from the environment variable ``SHEEN_<FIELD>``; endpoints and credentials of AWS itself come from
    the AWS variables that every SDK obeys, so that nothing here knows whether it runs on AWS or on one machine.
    """

    bucket: str
    """S3 bucket of bundles, outcomes and bodies too large for a gateway."""
    table_prefix: str
    """DynamoDB tables are called ``<prefix><name>``."""
    websocket_url: str
    """The WebSocket API as a browser reaches it: absolute (``wss://…``), or a path on the page's own host."""
    instance_state_machine: str = ""
    """ARN of the state machine of an instance's life; only for what starts instances."""
    cluster: str = ""
    """ECS cluster of the instances; only for what stops tasks."""
    connections_url: str = ""
    """Where ``@connections`` is, for what posts to browsers; only the agent and functions outside the VPC."""
    subnets: str = ""
    """Where tasks run, with commas between; only for what runs tasks."""
    task_security_group: str = ""
    """Likewise."""
    execute_command: bool = False
    """Whether operators may open a shell in a task (ECS Exec); likewise."""
    spares: str = ""
    """How many spare instances there are to be, by size; see :mod:`chalicelib.lives.pool`; only functions."""
    most_instances: int = 0
    """Instances that there may be in the deployment, spares counted; 0: any number. Only functions."""
    most_held: int = 0
    """Requests that may wait in a Lambda at once for apps to start; 0: none waits. Only functions."""
    edge_proof: str = ""
    """By what functions recognise CloudFront, see :mod:`chalicelib.visits.address`; empty: there is none. Only functions."""
    efs: str = ""
    """Where the file system with the apps' versions is mounted; only tasks."""
    bodies_url: str = ""
    """S3 as a browser reaches it: absolute, ``/`` for the page's own host, or empty for AWS's own endpoint; only the agent."""
    largest_bundle: int = GIGABYTE
    """Bytes of a bundle, packed and unpacked; ``SHEEN_BUNDLE_GB`` says it in GB, 5 at most. Only what publishes."""
    script_state_machine: str = ""
    """ARN of the state machine that runs an app's scripts; only for who asks for that."""
    app_roles: str = ""
    """Begins the ARNs of the roles that apps may have; only the agent."""
    log_group: str = ""
    """CloudWatch log group of the workers' logs; only the agent and who reads them."""

    repositories: str = ""
    """Where R packages come from, see :class:`tasks.packages.repositories.Repositories`; only the task that builds."""
    python_repositories: str = ""
    """Where Python packages come from, see :class:`tasks.packages.python.Indexes`; only the task that builds."""
    sync_state_machine: str = ""
    """ARN of the state machine of a sync's run; only for what starts runs."""
    sync_role: str = ""
    """ARN of the role by which DataSync reads buckets; only for what makes DataSync's tasks, like the next four."""
    sync_mode: str = "BASIC"
    """DataSync's task mode, ``BASIC`` or ``ENHANCED``; likewise."""
    sync_log: str = ""
    """ARN of the CloudWatch log group to which DataSync writes what it could not copy."""
    sync_network: str = ""
    """ARNs, with a comma between them, of the subnet and the security group by which DataSync reaches the file system."""
    file_system: str = ""
    """ARNs, with a comma between them, of the file system and of its access point for synced folders."""
    other_buckets: tuple[str, ...] = ()
    """Other buckets that syncs may read, each with its prefix: ``<bucket>/<prefix>``; in the variable with blanks between. Only what
    defines syncs."""
    vpc_functions: tuple[str, ...] = ()
    """Full names of the functions in the VPC; in the variable with blanks between. Only what keeps them active."""
    tags: tuple[tuple[str, str], ...] = ()
    """The deployment's tags; in the variable as a URL's query has them. Only what makes DataSync's tasks."""
    topic: str = ""
    """ARN of the SNS topic that failures are told to; only functions outside the VPC."""
    largest_size: str = ""
    """The largest size that an app may have; empty: any. This and the next two are :class:`chalicelib.apps.ceilings.Ceilings`."""
    most_instances_per_app: int = 0
    """How many instances an app may have; 0: any number."""
    longest_idle: float = 0.0
    """Seconds for which an app may keep an instance without sessions; 0: any time."""

    def function_name(self, function: str) -> str:
        """Return the full name of a function of ``app.py``, but for the REST API's."""
        return self.table_prefix + function

    def state_machine(self, name: str) -> str:
        """Return the ARN of another state machine of the deployment; only for what starts instances."""
        return f"{self.instance_state_machine.rpartition(':')[0]}:{self.table_prefix}{name}"

    @property
    def secret_prefix(self) -> str:
        """Begins the name of each secret in Secrets Manager that apps of this deployment may have: ``sheen-prod/``."""
        return self.table_prefix.removesuffix("-") + "/"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings; raise :class:`SettingMissing` that names the variable."""

        def required(name: str) -> str:
            variable = PREFIX + name.upper()
            try:
                return environment[variable]
            except KeyError:
                raise SettingMissing(f'environment variable {variable} is not set; `eval "$(sheen env)"` sets it') from None

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
    """Read a number of gigabytes (empty: one) as bytes; raise :class:`SettingMissing`."""
    try:
        gigabytes = float(text or 1)
    except ValueError:
        gigabytes = 0.0
    if not 0 < gigabytes <= MOST_BUNDLE_GB:
        raise SettingMissing(
            f"environment variable SHEEN_BUNDLE_GB is {text!r}; it must be a number of gigabytes, at most {MOST_BUNDLE_GB}"
        )
    return int(gigabytes * GIGABYTE)
