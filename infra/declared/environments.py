"""The settings of each part of a deployment, as environment variables.

:class:`chalicelib.configuration.deployment.Settings` reads them.
"""

from urllib.parse import urlencode

from chalicelib.configuration.rules import plain
from infra.declared.logs import APPS, TRANSFERS
from infra.declared.place import Place

UNTRACED = {"POWERTOOLS_TRACE_DISABLED": "true"}
"""Variables of a function that X-Ray does not trace."""


def common(place: Place) -> dict[str, str]:
    """Return the variables that every part needs, in the VPC or outside."""
    return {
        "SHEEN_BUCKET": place.bucket,
        "SHEEN_TABLE_PREFIX": place.prefix,
        "SHEEN_WEBSOCKET_URL": place.websocket_url,
    }


def outside(place: Place) -> dict[str, str]:
    """Return the variables of the parts that can reach every AWS API (FACTS E6b)."""
    return {
        **common(place),
        "SHEEN_CONNECTIONS_URL": place.connections_url,
        "SHEEN_CLUSTER": place.cluster,
        "SHEEN_SUBNETS": " ".join(place.subnets),
        "SHEEN_TASK_SECURITY_GROUP": place.task_security_group,
        "SHEEN_EXECUTE_COMMAND": "true" if place.execute_command else "false",
        "SHEEN_INSTANCE_STATE_MACHINE": place.state_machine_arn("instance"),
        "SHEEN_BUNDLE_GB": place.bundle_gb,
    }


def syncs(place: Place) -> dict[str, str]:
    """Return the additional variables of the functions that deal with syncs."""
    return {
        "SHEEN_SYNC_STATE_MACHINE": place.state_machine_arn("sync"),
        "SHEEN_SYNC_ROLE": place.role_arn("datasync"),
        "SHEEN_SYNC_LOG": place.arn("logs", f"log-group:{place.log_group(TRANSFERS.name)}"),
        "SHEEN_SYNC_SUBNET": place.arn("ec2", f"subnet/{place.subnets[0]}"),
        "SHEEN_SYNC_SECURITY_GROUP": place.arn(
            "ec2", f"security-group/{place.task_security_group}"
        ),
        "SHEEN_FILE_SYSTEM": place.arn("elasticfilesystem", f"file-system/{place.file_system}"),
        "SHEEN_ACCESS_POINT": place.arn("elasticfilesystem", f"access-point/{place.access_point}"),
        "SHEEN_TOPIC": place.topic_arn("alarms"),
        "SHEEN_TAGS": urlencode(place.tags),
        "SHEEN_SYNC_MODE": place.transfer_mode,
    }


def apps(place: Place) -> dict[str, str]:
    """Return the variables of the parts that read apps' settings."""
    return {
        "SHEEN_APP_DEFAULTS": plain(place.app_defaults),
        "SHEEN_LARGEST_SIZE": place.largest_size,
        "SHEEN_MOST_INSTANCES_PER_APP": str(place.most_instances_per_app),
        "SHEEN_LONGEST_IDLE": f"{place.longest_idle:g}",
    }


def function(place: Place, in_vpc: bool) -> dict[str, str]:
    """Return the variables of every function, by whether it is in the VPC."""
    return {
        **(common(place) if in_vpc else outside(place)),
        **apps(place),
        "SHEEN_SPARES": place.spares,
        "SHEEN_MOST_INSTANCES": str(place.most_instances),
        "SHEEN_EDGE_PROOF": place.edge_proof,
        "SHEEN_MOST_HELD": str(place.most_held),
        "SHEEN_ONE_MACHINE": "true" if place.one_machine else "false",
        "SHEEN_BODIES_URL": place.bodies_url,
        "POWERTOOLS_SERVICE_NAME": place.app,
        "POWERTOOLS_TRACE_DISABLED": "false" if place.traced else "true",
    }


def task(place: Place) -> dict[str, str]:
    """Return the variables of every task."""
    return {
        **common(place),
        "SHEEN_CONNECTIONS_URL": place.connections_url,
        "SHEEN_EFS": place.efs,
        "SHEEN_CLIENT_DIR": place.client_dir,
        "SHEEN_BODIES_URL": place.bodies_url,
    }


def agent(place: Place) -> dict[str, str]:
    """Return the variables of an instance's task."""
    return {
        **task(place),
        **apps(place),
        "SHEEN_LOG_GROUP": place.log_group(APPS.name),
        "SHEEN_APP_ROLES": place.app_role_arn(""),
    }


def build(place: Place) -> dict[str, str]:
    """Return the variables of the task that builds versions."""
    return {
        **task(place),
        **apps(place),
        "SHEEN_BUNDLE_GB": place.bundle_gb,
        "SHEEN_REPOSITORIES": place.repositories,
        "SHEEN_PYTHON_REPOSITORIES": place.python_repositories,
    }


def packaging(place: Place) -> dict[str, str]:
    """Return the variables that ``app.py`` reads while Chalice packages it.

    They hold the names in the patterns of its events.
    """
    return {
        "SHEEN_CLUSTER_ARN": place.cluster_arn(),
        "SHEEN_EVENT_BUCKETS": " ".join(
            dict.fromkeys((place.bucket, *(bucket.name for bucket in place.other_buckets)))
        ),
        "SHEEN_TRANSFERS": place.arn("datasync", "task/"),
    }


def admin(place: Place) -> dict[str, str]:
    """Return the variables of the ``sheen`` command."""
    return {
        **outside(place),
        **apps(place),
        "SHEEN_LOG_GROUP": place.log_group(APPS.name),
        "SHEEN_OTHER_BUCKETS": " ".join(
            f"{bucket.name}/{bucket.prefix}" for bucket in place.other_buckets
        ),
        "SHEEN_SCRIPT_STATE_MACHINE": place.state_machine_arn("script"),
    }


def copy(place: Place) -> dict[str, str]:
    """Return the variables of the task that copies urgent files."""
    return {**task(place), "SHEEN_SYNC_STATE_MACHINE": place.state_machine_arn("sync")}
