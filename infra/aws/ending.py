"""Ends what runs, before a deployment is taken down."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from infra.aws.errors import DeployError
from infra.declared import Declared, Place

PATIENCE_SECONDS = 45 * 60
"""Lambda gives back the network interfaces of functions that are gone after some twenty minutes, at times forty."""
_WHY = "the deployment is being taken down"


def end_work(states: Any, ecs: Any, declared: Declared, place: Place, say: Callable[[str], None], sleep: Callable[[float], None]) -> None:
    """Stop all executions of the state machines and all tasks of the cluster, and wait until the tasks are gone."""
    for machine in declared.state_machines:
        for execution in _executions(states, place.state_machine_arn(machine.name)):
            states.stop_execution(executionArn=execution, error="Destroyed", cause=_WHY)
    waited = 0.0
    while tasks := _tasks(ecs, place.cluster):
        say(f"  {len(tasks)} tasks are still running")
        for task in tasks:
            ecs.stop_task(cluster=place.cluster, task=task, reason=_WHY)
        waited = _wait(waited, 5, sleep, f"tasks of the cluster {place.cluster} do not stop")


def wait_for_interfaces(ec2: Any, group: str, say: Callable[[str], None], sleep: Callable[[float], None]) -> None:
    """Wait until Lambda has given back the network interfaces in a security group."""
    waited = 0.0
    while interfaces := ec2.describe_network_interfaces(Filters=[{"Name": "group-id", "Values": [group]}])["NetworkInterfaces"]:
        say(f"  Lambda has not given back {len(interfaces)} network interfaces yet; that takes up to forty minutes")
        waited = _wait(waited, 30, sleep, f"there are still network interfaces in the security group {group}")


def _wait(waited: float, seconds: float, sleep: Callable[[float], None], otherwise: str) -> float:
    if waited >= PATIENCE_SECONDS:
        raise DeployError(f"{otherwise} after {PATIENCE_SECONDS // 60} minutes")
    sleep(seconds)
    return waited + seconds


def _executions(states: Any, machine: str) -> list[str]:
    try:
        pages = states.get_paginator("list_executions").paginate(stateMachineArn=machine, statusFilter="RUNNING")
        return [execution["executionArn"] for page in pages for execution in page["executions"]]
    except ClientError as error:
        if error.response["Error"]["Code"] == "StateMachineDoesNotExist":
            return []
        raise


def _tasks(ecs: Any, cluster: str) -> list[str]:
    try:
        return [
            arn for page in ecs.get_paginator("list_tasks").paginate(cluster=cluster, desiredStatus="RUNNING") for arn in page["taskArns"]
        ]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ClusterNotFoundException":
            return []
        raise
